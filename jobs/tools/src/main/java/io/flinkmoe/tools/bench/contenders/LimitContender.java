// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.contenders;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.Device;
import io.flinkmoe.onnx.ExpertModel;
import io.flinkmoe.onnx.ModelTensors;
import io.flinkmoe.onnx.OnnxModel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.flink.annotation.Internal;

/**
 * The layer without Flink, in large batches from memory to memory: routing, a gather of rows per
 * expert, the experts with pinned outputs, and the weighted sum. Two cores run either two batches
 * at a time, or one batch with two threads per call.
 */
@Internal
public final class LimitContender implements Contender {

    private static final int CORES = 2;

    private final String name;
    private final Bundle bundle;
    private final BundleSessions sessions;
    private final List<ExpertModel> experts = new ArrayList<>();
    private final List<OnnxModel> ownModels = new ArrayList<>();
    private final List<LimitWorker> workers = new ArrayList<>();

    /**
     * @param batchSize tokens per batch
     * @param threadsPerCall 1 or 2; with 2, only one batch runs at a time
     */
    public LimitContender(Bundle bundle, int batchSize, int threadsPerCall) throws BundleException {
        int batches = CORES / threadsPerCall;
        this.name = "%dx%d threads, batch %d".formatted(batches, threadsPerCall, batchSize);
        this.bundle = bundle;
        this.sessions = new BundleSessions(bundle);
        int n = bundle.spec().layers().get(0).numExperts();
        for (int expert = 0; expert < n; expert++) {
            experts.add(threadsPerCall == 1 ? sessions.expert(0, expert) : open(expert));
        }
        for (int worker = 0; worker < batches; worker++) {
            workers.add(
                    new LimitWorker(
                            sessions,
                            experts,
                            Pool.of(bundle.spec().firstSize(), worker),
                            batchSize));
        }
    }

    private OnnxModel open(int expert) throws BundleException {
        int d = bundle.spec().firstSize();
        String file = bundle.spec().layers().get(0).experts().get(expert).file().file();
        OnnxModel model =
                OnnxModel.open(bundle.file(file), ModelTensors.of(d, d), CORES, Device.CPU);
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
            for (LimitWorker worker : workers) {
                rates.add(threads.submit(() -> worker.rate(start, time.toNanos())));
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
}
