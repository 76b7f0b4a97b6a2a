// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime;

import io.flinkmoe.config.LatencyProfile;
import io.flinkmoe.runtime.shared.EvenKeys;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ExecutionOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.transformations.PartitionTransformation;

/** Sets what the operators of all layers have in common: exchanges, parallelism, uids. */
@Internal
final class Operators {

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
     * <p>All inputs of an operator must agree. If one of them lets the barrier overtake its
     * records, Flink takes the snapshot at once, with what is in flight on all inputs, and blocks
     * inputs whose barrier has come until the others' come, too: a cycle of waiting tasks if these
     * need the output. So the exchanges of decisions and of the experts' results are aligned like
     * those of the vectors and residuals beside them. Only rows on their way to the experts may be
     * in a checkpoint.
     */
    static <T> KeyedStream<T, Integer> aligned(KeyedStream<T, Integer> stream) {
        ((PartitionTransformation<T>) stream.getTransformation())
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
}
