// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.contenders;

import java.time.Duration;
import org.apache.flink.annotation.Internal;

/** One way to run the layer of a shape. */
@Internal
public interface Contender extends AutoCloseable {

    /** The name in tables and JSON. */
    String name();

    /**
     * Runs at full speed, after its own warm-up.
     *
     * @param time the duration of the measurement
     * @return tokens per second
     */
    double rate(Duration time) throws Exception;

    @Override
    default void close() {}
}
