// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.ExpertModel;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.ExpertRows;
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

    /** Some rows of a block, and the {@link System#nanoTime()} of their arrival. */
    private record Part(ExpertRows block, int from, int count, long nanos) {}

    private final ExpertModel model;
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
            ExpertModel model, CallBuffers buffers, CallFailures failures, ExpertMetrics metrics) {
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
     * @param from the first row of the block to add
     * @return the first row that does not fit; the number of rows if all fit
     */
    public int add(ExpertRows block, int from) {
        int count = Math.min(block.rows() - from, buffers.maxRows() - waiting);
        if (count > 0) {
            parts.add(new Part(block, from, count, System.nanoTime()));
            waiting += count;
        }
        return from + count;
    }

    /** Returns the waiting rows, in order of arrival. */
    public List<ExpertRows> waitingRows() {
        List<ExpertRows> rows = new ArrayList<>(parts.size());
        for (Part part : parts) {
            rows.add(part.block.slice(part.from, part.from + part.count));
        }
        return rows;
    }

    /**
     * Runs the waiting rows, if any, in one call.
     *
     * @return one result per block, in order of arrival; their vectors are borrowed until the next
     *     call that uses the same buffers
     * @throws FlinkException if the call throws and {@link CallFailures} fails the job
     */
    public List<ContributionBlock> run() throws FlinkException {
        if (waiting == 0) {
            return List.of();
        }
        long start = System.nanoTime();
        metrics.queueTime.update((start - parts.get(0).nanos) / 1000);
        metrics.batchSize.update(waiting);
        int at = 0;
        for (Part part : parts) {
            part.block.vectors().copyTo(buffers.input, at, part.from, part.count);
            at += part.count;
        }
        failedRows = 0;
        thrownRows = 0;
        call();
        metrics.inferenceTime.update((System.nanoTime() - start) / 1000);
        buffers.results.get(0, buffers.outputs, 0, waiting);
        List<ContributionBlock> results = new ArrayList<>(parts.size());
        at = 0;
        for (Part part : parts) {
            results.add(result(part, at));
            at += part.count;
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
        int in = buffers.input.width();
        int d = buffers.results.width();
        DirectRows row = new DirectRows(buffers.padding ? buffers.maxRows() : 1, in);
        DirectRows result = new DirectRows(row.maxRows(), d);
        byte[] inputBytes = new byte[in * Float.BYTES];
        byte[] bytes = new byte[d * Float.BYTES];
        float[] failed = new float[d];
        Arrays.fill(failed, Float.NaN);
        for (int i = 0; i < waiting; i++) {
            buffers.input.get(i, inputBytes, 0, 1);
            row.put(inputBytes, 0, 0, 1);
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

    private ContributionBlock result(Part part, int at) {
        int d = buffers.results.width();
        byte[] outcomes = new byte[part.count];
        RowList executed = new RowList(part.count);
        for (int i = 0; i < part.count; i++) {
            if (Floats.allFinite(buffers.outputs, (at + i) * d, d)) {
                outcomes[i] = Outcome.EXECUTED.code();
                executed.add(at + i);
            } else {
                outcomes[i] = Outcome.FAILED.code();
            }
        }
        int[] executedRows = executed.toArray();
        metrics.executed.inc(executedRows.length);
        failedRows += part.count - executedRows.length;
        Vectors outputs = Vectors.borrow(buffers.outputs, executedRows, d);
        return part.block.contribution(part.from, outcomes, outputs);
    }
}
