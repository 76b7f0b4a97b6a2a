package io.flinkmoe.runtime.expert;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.config.ExpertBatching;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.OnnxModel;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.tensor.Floats;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * Joins the admitted rows of dispatch blocks to calls of one expert, and takes the results apart
 * again. A call has at most as many rows as the buffers have.
 */
@Internal
final class ExpertCalls {

    /** Takes what a call answered to some rows of one block. */
    interface Answers {
        /**
         * @param rows the rows of the block, ascending
         * @param outcomes EXECUTED or FAILED for each
         * @param vectors the outputs of the executed ones, in order
         */
        void answer(DispatchBlock block, int[] rows, byte[] outcomes, Vectors vectors)
                throws Exception;
    }

    /** Says what to do about a call that threw; returns if the rows to blame shall be FAILED. */
    interface Failures {
        void failed(OnnxModel model, int rows, OrtException cause) throws Exception;
    }

    /** Room for a call, for what it gives, and for that as bytes, which Flink writes from. */
    static final class Buffers {
        private final DirectRows input;
        private final DirectRows results;
        private final byte[] outputs;
        private final boolean padding;

        /**
         * @param d the width of a row
         */
        Buffers(ExpertBatching batching, int d) {
            input = new DirectRows(batching.size(), d);
            results = new DirectRows(batching.size(), d);
            outputs = new byte[batching.size() * d * Float.BYTES];
            padding = batching.padding();
        }
    }

    /** Rows of a block, since {@code nanos} of {@link System#nanoTime()}. */
    private record Part(DispatchBlock block, int[] rows, long nanos) {}

    private final OnnxModel model;
    private final DirectRows input;
    private final DirectRows results;
    private final byte[] outputs;
    private final int batchSize;
    private final boolean padding;
    private final int d;
    private final Answers answers;
    private final Failures failures;
    private final ExpertMetrics metrics;
    private final List<Part> parts = new ArrayList<>();
    private int waiting;

    /**
     * @param buffers may be shared by experts that run in one thread
     */
    ExpertCalls(
            OnnxModel model,
            Buffers buffers,
            Answers answers,
            Failures failures,
            ExpertMetrics metrics) {
        this.model = model;
        this.input = buffers.input;
        this.results = buffers.results;
        this.outputs = buffers.outputs;
        this.batchSize = input.maxRows();
        this.padding = buffers.padding;
        this.d = input.width();
        this.answers = answers;
        this.failures = failures;
        this.metrics = metrics;
    }

    /** Rows that wait for a call. */
    int waiting() {
        return waiting;
    }

    /**
     * Adds rows of a block; runs whenever a call is full.
     *
     * @param rows rows of the block, ascending
     */
    void add(DispatchBlock block, int[] rows) throws Exception {
        long now = System.nanoTime();
        for (int from = 0; from < rows.length; ) {
            int to = Math.min(rows.length, from + batchSize - waiting);
            parts.add(new Part(block, Arrays.copyOfRange(rows, from, to), now));
            waiting += to - from;
            from = to;
            if (waiting == batchSize) {
                run();
            }
        }
    }

    /** Runs the rows that wait, if any, in one call. */
    void run() throws Exception {
        if (waiting == 0) {
            return;
        }
        long start = System.nanoTime();
        metrics.queueTime.update((start - parts.get(0).nanos) / 1000);
        metrics.batchSize.update(waiting);
        int at = 0;
        for (Part part : parts) {
            part.block.vectors().copyTo(input, at, part.rows);
            at += part.rows.length;
        }
        call();
        metrics.inferenceTime.update((System.nanoTime() - start) / 1000);
        results.get(0, outputs, 0, waiting);
        at = 0;
        for (Part part : parts) {
            answer(part, at);
            at += part.rows.length;
        }
        parts.clear();
        waiting = 0;
    }

    private void call() throws Exception {
        try {
            run(input, results, waiting);
        } catch (OrtException e) {
            failures.failed(model, waiting, e);
            callRowByRow();
        }
    }

    /** Runs the first rows; padding is like them, so that it never fails where they do not. */
    private void run(DirectRows from, DirectRows into, int rows) throws OrtException {
        if (padding) {
            from.repeatFirst(rows);
        }
        model.run(from, into, padding ? from.maxRows() : rows);
    }

    /**
     * Which rows fail must not depend on which were joined: each is run alone, NaN if it throws.
     */
    private void callRowByRow() {
        DirectRows row = new DirectRows(padding ? batchSize : 1, d);
        DirectRows result = new DirectRows(row.maxRows(), d);
        byte[] bytes = new byte[d * Float.BYTES];
        float[] failed = new float[d];
        Arrays.fill(failed, Float.NaN);
        for (int i = 0; i < waiting; i++) {
            input.get(i, bytes, 0, 1);
            row.put(bytes, 0, 0, 1);
            try {
                run(row, result, 1);
                result.get(0, bytes, 0, 1);
            } catch (OrtException e) {
                Floats.put(failed, 0, bytes, 0, d);
            }
            results.put(bytes, 0, i, 1);
        }
    }

    private void answer(Part part, int at) throws Exception {
        int count = part.rows.length;
        byte[] outcomes = new byte[count];
        int executed = 0;
        for (int i = 0; i < count; i++) {
            boolean usable = Floats.allFinite(outputs, (at + i) * d, d);
            outcomes[i] = (usable ? Outcome.EXECUTED : Outcome.FAILED).code();
            executed += usable ? 1 : 0;
        }
        metrics.executed.inc(executed);
        metrics.failed.inc(count - executed);
        int[] executedRows = new int[executed];
        int next = 0;
        for (int i = 0; i < count; i++) {
            if (outcomes[i] == Outcome.EXECUTED.code()) {
                executedRows[next++] = at + i;
            }
        }
        answers.answer(part.block, part.rows, outcomes, Vectors.borrow(outputs, executedRows, d));
    }
}
