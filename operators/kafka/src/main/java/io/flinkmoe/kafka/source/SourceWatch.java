// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.util.List;
import org.apache.flink.annotation.Internal;

/** Something that the enumerator looks at while the job runs. */
@Internal
interface SourceWatch extends AutoCloseable {

    /**
     * Returns what stops the source now, in sentences for users; empty if nothing does.
     *
     * @throws RuntimeException if the job has to fail
     */
    List<String> look();

    @Override
    void close();
}
