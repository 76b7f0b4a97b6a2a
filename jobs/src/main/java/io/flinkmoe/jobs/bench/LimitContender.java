package io.flinkmoe.jobs.bench;

import ai.onnxruntime.OrtException;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.Device;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.LayerRouter;
import io.flinkmoe.onnx.OnnxModel;
import io.flinkmoe.tensor.Floats;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * The layer without Flink, in big batches from memory to memory: routing, a gather of rows per
 * expert, the experts with pinned outputs, the weighted sum. The work of two cores is shared by two
 * batches at a time, or by the two threads of each call.
 */
final class LimitContender implements Contender {

    private static final int CORES = 2;

    private final String name;
    private final Bundle bundle;
    private final BundleSessions sessions;
    private final List<OnnxModel> experts = new ArrayList<>();
    private final List<OnnxModel> ownModels = new ArrayList<>();
    private final List<Worker> workers = new ArrayList<>();

    /**
     * @param batchSize tokens of a batch
     * @param threadsPerCall 1 or 2; the more, the fewer batches at a time
     */
    LimitContender(Bundle bundle, int batchSize, int threadsPerCall) throws BundleException {
        int batches = CORES / threadsPerCall;
        this.name = "%dx%d threads, batch %d".formatted(batches, threadsPerCall, batchSize);
        this.bundle = bundle;
        this.sessions = new BundleSessions(bundle);
        int n = bundle.spec().layers().get(0).routing().numExperts();
        for (int expert = 0; expert < n; expert++) {
            experts.add(threadsPerCall == 1 ? sessions.expert(0, expert) : open(expert));
        }
        for (int worker = 0; worker < batches; worker++) {
            workers.add(new Worker(worker, batchSize));
        }
    }

    private OnnxModel open(int expert) throws BundleException {
        int d = bundle.spec().hiddenSize();
        String file = bundle.spec().layers().get(0).experts().get(expert);
        OnnxModel model = OnnxModel.open(bundle.file(file), d, d, CORES, Device.CPU);
        ownModels.add(model);
        return model;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public double rate(Duration time) throws Exception {
        run(time.dividedBy(4));
        return run(time);
    }

    private double run(Duration time) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(workers.size());
        try {
            long start = System.nanoTime();
            List<Future<Double>> rates = new ArrayList<>();
            for (Worker worker : workers) {
                rates.add(threads.submit(() -> worker.run(start, time.toNanos())));
            }
            double sum = 0;
            for (Future<Double> rate : rates) {
                sum += rate.get();
            }
            return sum;
        } finally {
            threads.shutdown();
        }
    }

    @Override
    public void close() {
        sessions.close();
        ownModels.forEach(OnnxModel::close);
    }

    /** What one thread works with. */
    private final class Worker {
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
        private final float[] sums;

        Worker(int seed, int batchSize) throws BundleException {
            this.batchSize = batchSize;
            this.router = new LayerRouter(sessions, 0, batchSize);
            this.d = bundle.spec().hiddenSize();
            this.k = router.routing().numExpertsPerTok();
            this.input = new DirectRows(batchSize, d);
            this.output = new DirectRows(batchSize, d);
            this.choicesOf = new int[experts.size()][batchSize];
            this.rowsOf = new int[experts.size()];
            this.outputs = new float[batchSize * k * d];
            this.outputOfChoice = new int[batchSize * k];
            this.sums = new float[batchSize * d];
            float[][] pool = Pool.of(d, seed);
            this.batches = new byte[Math.max(1, pool.length / batchSize)][batchSize * d * 4];
            for (int row = 0; row < batches.length * batchSize; row++) {
                byte[] batch = batches[row / batchSize];
                Floats.put(pool[row % pool.length], 0, batch, row % batchSize * d, d);
            }
        }

        double run(long start, long nanos) throws OrtException {
            long tokens = 0;
            long now = start;
            for (int i = 0; now - start < nanos; i++) {
                forward(batches[i % batches.length]);
                tokens += batchSize;
                now = System.nanoTime();
            }
            return tokens * 1e9 / (now - start);
        }

        private void forward(byte[] batch) throws OrtException {
            LayerRouter.Routed routed = router.route(batch, batchSize);
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
            Floats.get(batch, 0, sums, 0, batchSize * d);
            for (int choice = 0; choice < batchSize * k; choice++) {
                Floats.addScaled(
                        sums,
                        choice / k * d,
                        routed.weights()[choice],
                        outputs,
                        outputOfChoice[choice] * d,
                        d);
            }
        }
    }
}
