// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.OnnxModel;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.tensor.Floats;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.FlinkException;

/**
 * The rows that wait for a call of one expert. A call batches rows of several blocks, up to the
 * size of the buffers. Its result is split by block again.
 */
@Internal
public final class ExpertCalls {

    /**
     * The result of a call for some rows of one block.
     *
     * @param rows the rows of the block, ascending
     * @param outcomes EXECUTED or FAILED for each
     * @param vectors the outputs of the executed rows, in order; borrowed until the next call that
     *     uses the same buffers
     * @param failed the number of FAILED rows
     */
    public record Result(
            DispatchBlock block, int[] rows, byte[] outcomes, Vectors vectors, int failed) {

        /**
         * The result for the combine.
         *
         * @param weights the weights of the executed rows, if the expert determines them
         */
        public ContributionBlock contribution(float[] weights) {
            return block.contribution(rows, outcomes, weights, vectors);
        }
    }

    /** Some rows of a block, and the {@link System#nanoTime()} of their arrival. */
    private record Part(DispatchBlock block, int[] rows, long nanos) {}

    private final OnnxModel model;
    private final CallBuffers buffers;
    private final CallFailures failures;
    private final ExpertMetrics metrics;
    private final List<Part> parts = new ArrayList<>();
    private int waiting;
    private int failedRows; // of the last call
    private int thrownRows;

    /**
     * @param buffers may be shared by experts that run in one thread
     * @param failures what happens when a call throws
     */
    public ExpertCalls(
            OnnxModel model, CallBuffers buffers, CallFailures failures, ExpertMetrics metrics) {
        this.model = model;
        this.buffers = buffers;
        this.failures = failures;
        this.metrics = metrics;
    }

    /** The number of rows that wait for a call. */
    public int waiting() {
        return waiting;
    }

    public boolean isFull() {
        return waiting == buffers.maxRows();
    }

    /**
     * Adds as many rows as fit into the call.
     *
     * @param rows rows of the block, ascending
     * @param from the index in {@code rows} of the first row to add
     * @return the index of the first row that does not fit; {@code rows.length} if all fit
     */
    public int add(DispatchBlock block, int[] rows, int from) {
        int to = Math.min(rows.length, from + buffers.maxRows() - waiting);
        if (to > from) {
            parts.add(new Part(block, Arrays.copyOfRange(rows, from, to), System.nanoTime()));
            waiting += to - from;
        }
        return to;
    }

    /**
     * Runs the waiting rows, if any, in one call.
     *
     * @return one result per block, in order of arrival
     * @throws FlinkException if the call throws and {@link CallFailures} fails the job
     */
    public List<Result> run() throws FlinkException {
        if (waiting == 0) {
            return List.of();
        }
        long start = System.nanoTime();
        metrics.queueTime.update((start - parts.get(0).nanos) / 1000);
        metrics.batchSize.update(waiting);
        int at = 0;
        for (Part part : parts) {
            part.block.vectors().copyTo(buffers.input, at, part.rows);
            at += part.rows.length;
        }
        failedRows = 0;
        thrownRows = 0;
        call();
        metrics.inferenceTime.update((System.nanoTime() - start) / 1000);
        buffers.results.get(0, buffers.outputs, 0, waiting);
        List<Result> results = new ArrayList<>(parts.size());
        at = 0;
        for (Part part : parts) {
            results.add(result(part, at));
            at += part.rows.length;
        }
        metrics.failed.inc(failedRows);
        metrics.nonFiniteOutputs.inc(failedRows - thrownRows);
        parts.clear();
        waiting = 0;
        return results;
    }

    private void call() throws FlinkException {
        try {
            run(buffers.input, buffers.results, waiting);
        } catch (OrtException e) {
            failures.onFailure(model, waiting, e);
            callRowByRow();
        }
    }

    /**
     * Runs the first {@code rows} rows. Padding repeats the first row, so it fails only if that row
     * fails.
     */
    private void run(DirectRows from, DirectRows into, int rows) throws OrtException {
        if (buffers.padding) {
            from.repeatFirst(rows);
        }
        model.run(from, into, buffers.padding ? from.maxRows() : rows);
    }

    /**
     * Runs each row alone, so that a row's outcome does not depend on the other rows of the call. A
     * row that throws gets NaN, which is not finite and therefore FAILED.
     */
    private void callRowByRow() {
        int d = buffers.input.width();
        DirectRows row = new DirectRows(buffers.padding ? buffers.maxRows() : 1, d);
        DirectRows result = new DirectRows(row.maxRows(), d);
        byte[] bytes = new byte[d * Float.BYTES];
        float[] failed = new float[d];
        Arrays.fill(failed, Float.NaN);
        for (int i = 0; i < waiting; i++) {
            buffers.input.get(i, bytes, 0, 1);
            row.put(bytes, 0, 0, 1);
            try {
                run(row, result, 1);
                result.get(0, bytes, 0, 1);
            } catch (OrtException e) {
                thrownRows++;
                Floats.put(failed, 0, bytes, 0, d);
            }
            buffers.results.put(bytes, 0, i, 1);
        }
    }

    private Result result(Part part, int at) {
        int d = buffers.input.width();
        int count = part.rows.length;
        byte[] outcomes = new byte[count];
        RowList executed = new RowList(count);
        for (int i = 0; i < count; i++) {
            if (Floats.allFinite(buffers.outputs, (at + i) * d, d)) {
                outcomes[i] = Outcome.EXECUTED.code();
                executed.add(at + i);
            } else {
                outcomes[i] = Outcome.FAILED.code();
            }
        }
        int[] executedRows = executed.toArray();
        metrics.executed.inc(executedRows.length);
        failedRows += count - executedRows.length;
        return new Result(
                part.block,
                part.rows,
                outcomes,
                Vectors.borrow(buffers.outputs, executedRows, d),
                count - executedRows.length);
    }
}
