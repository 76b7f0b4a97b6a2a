// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime;

import io.flinkmoe.config.LatencyProfile;
import io.flinkmoe.runtime.shared.EvenKeys;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ExecutionOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.transformations.PartitionTransformation;

/** Sets what the operators of all layers have in common: exchanges, parallelism, uids. */
@Internal
final class Operators {

    private static final long JOBS_TIMEOUT = -1;

    private final LatencyProfile latency;

    Operators(LatencyProfile latency) {
        this.latency = latency;
    }

    /**
     * Excludes an exchange from unaligned checkpoints. Otherwise a watermark that is in flight when
     * the checkpoint is taken could, after rescaling, reach a subtask that still has earlier
     * records in flight, and windows would close before these records arrive. Therefore no exchange
     * whose receiver counts on the watermark may have in-flight data in a checkpoint.
     *
     * <p>The exchanges of rows to the experts and of what the experts and their admission return do
     * not count on the watermark, but they are aligned, too. A combine reads residuals directly and
     * outputs through the experts. If a barrier overtook the rows to an expert, it would reach the
     * combine before the outputs of rows that a dispatch or router has yet to send ahead of its own
     * barrier. The combine would not read those outputs before that barrier, so the expert would
     * stop, and with it the dispatch or router in front of the barrier: a cycle of waiting tasks.
     * The same holds for the inputs of a dispatch. Where all exchanges are aligned, what is ahead
     * of a barrier is always read.
     */
    static <S extends DataStream<?>> S aligned(S stream) {
        ((PartitionTransformation<?>) stream.getTransformation())
                .getPartitioner()
                .disableUnalignedCheckpoints();
        return stream;
    }

    /**
     * Sets the parallelism of an operator: the requested one (0: the job's), but at most the number
     * of its lanes or experts.
     */
    <T> SingleOutputStreamOperator<T> spread(
            EvenKeys keys, int parallelism, SingleOutputStreamOperator<T> operator) {
        int requested = parallelism > 0 ? parallelism : operator.getParallelism();
        return identified(operator)
                .setParallelism(Math.min(requested, keys.count()))
                .setMaxParallelism(keys.maxParallelism());
    }

    /**
     * Sets the uid of an operator to its name, and its buffer timeout unless the job sets one. With
     * Flink's default of 100 ms, a token would spend most of its latency in buffers.
     */
    <T> SingleOutputStreamOperator<T> identified(SingleOutputStreamOperator<T> operator) {
        ReadableConfig options = operator.getExecutionEnvironment().getConfiguration();
        if (options.getOptional(ExecutionOptions.BUFFER_TIMEOUT).isEmpty()) {
            operator.setBufferTimeout(latency.bufferTimeout().toMillis());
        }
        return operator.uid(operator.getName());
    }

    /**
     * Gives an operator the job's buffer timeout, because the next operator gets its main output in
     * the same task. Only side outputs are in buffers then, and a short timeout would wake up a
     * thread for each of them up to a thousand times a second.
     */
    static void chained(SingleOutputStreamOperator<?> operator) {
        if (operator.getExecutionEnvironment().isChainingEnabled()) {
            operator.setBufferTimeout(JOBS_TIMEOUT);
        }
    }
}
