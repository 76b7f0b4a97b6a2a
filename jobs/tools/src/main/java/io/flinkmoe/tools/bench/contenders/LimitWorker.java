// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.contenders;

import ai.onnxruntime.OrtException;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.ExpertModel;
import io.flinkmoe.onnx.layer.LayerRouter;
import io.flinkmoe.onnx.layer.Routed;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** One thread of {@link LimitContender}, with its buffers. */
@Internal
final class LimitWorker {
    private final List<ExpertModel> experts;
    private final byte[][] batches;
    private final int batchSize;
    private final LayerRouter router;
    private final int d;
    private final int k;
    private final DirectRows input;
    private final DirectRows output;
    private final int[][] choicesOf;
    private final int[] rowsOf;
    private final float[] outputs;
    private final int[] outputOfChoice;
    private final float[] vector;
    private final float[] sum;
    private final float[] sums;

    /**
     * @param experts the models of the experts
     * @param pool the vectors of the batches
     * @param batchSize tokens per batch
     */
    LimitWorker(BundleSessions sessions, List<ExpertModel> experts, float[][] pool, int batchSize)
            throws BundleException {
        this.experts = experts;
        this.batchSize = batchSize;
        this.router = new LayerRouter(sessions, 0, batchSize);
        this.d = sessions.spec().layers().get(0).inputSize();
        this.k = sessions.spec().layers().get(0).choices();
        this.input = new DirectRows(batchSize, d);
        this.output = new DirectRows(batchSize, d);
        this.choicesOf = new int[experts.size()][batchSize];
        this.rowsOf = new int[experts.size()];
        this.outputs = new float[batchSize * k * d];
        this.outputOfChoice = new int[batchSize * k];
        this.vector = new float[d];
        this.sum = new float[d];
        this.sums = new float[batchSize * d];
        this.batches = new byte[Math.max(1, pool.length / batchSize)][batchSize * d * 4];
        for (int row = 0; row < batches.length * batchSize; row++) {
            byte[] batch = batches[row / batchSize];
            Floats.put(pool[row % pool.length], 0, batch, row % batchSize * d, d);
        }
    }

    /**
     * Runs batches until the time is over.
     *
     * @param start the start time, by {@link System#nanoTime}
     * @param nanos the duration
     * @return tokens per second
     */
    double rate(long start, long nanos) throws OrtException {
        long tokens = 0;
        long now = start;
        for (int i = 0; now - start < nanos; i++) {
            forward(batches[i % batches.length]);
            tokens += batchSize;
            now = System.nanoTime();
        }
        return tokens * 1e9 / (now - start);
    }

    /**
     * Computes the answers to a batch.
     *
     * @param batch [batch size, d] float32, little endian
     * @return [batch size, d], reused for the next batch
     */
    float[] forward(byte[] batch) throws OrtException {
        Routed routed = router.route(batch, batchSize);
        Arrays.fill(rowsOf, 0);
        for (int choice = 0; choice < batchSize * k; choice++) {
            int expert = routed.experts()[choice];
            choicesOf[expert][rowsOf[expert]++] = choice;
        }
        int at = 0;
        for (int expert = 0; expert < rowsOf.length; expert++) {
            int rows = rowsOf[expert];
            if (rows > 0) {
                for (int row = 0; row < rows; row++) {
                    int choice = choicesOf[expert][row];
                    input.put(batch, choice / k, row, 1);
                    outputOfChoice[choice] = at + row;
                }
                experts.get(expert).run(input, output, rows);
                output.get(outputs, at, rows);
                at += rows;
            }
        }
        for (int token = 0; token < batchSize; token++) {
            Floats.get(batch, token * d, sum, 0, d);
            for (int choice = token * k; choice < token * k + k; choice++) {
                System.arraycopy(outputs, outputOfChoice[choice] * d, vector, 0, d);
                Floats.addScaled(sum, routed.weights(0)[choice], vector, d);
            }
            System.arraycopy(sum, 0, sums, token * d, d);
        }
        return sums;
    }
}
