package io.flinkmoe.tools.bench.contenders;

import java.time.Duration;
import org.apache.flink.annotation.Internal;

/** One way to run the layer of a shape. */
@Internal
public interface Contender extends AutoCloseable {

    /** As tables and JSON name it. */
    String name();

    /**
     * Runs for a while at full speed, after a warm-up of its own.
     *
     * @param time how long is measured
     * @return tokens per second
     */
    double rate(Duration time) throws Exception;

    @Override
    default void close() {}
}
