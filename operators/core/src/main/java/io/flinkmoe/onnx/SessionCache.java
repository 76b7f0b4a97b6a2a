// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.FileErrors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.apache.flink.annotation.Internal;

/**
 * The open models of this process. Each model is opened once and shared by all slots. Leases are
 * counted. A model without leases stays open for a while, so that a restarted job need not open it
 * again.
 */
@Internal
public final class SessionCache {

    private static final SessionCache SHARED = new SessionCache(Duration.ofSeconds(60));

    private final Executor later;
    private final Map<Key, Entry> entries = new HashMap<>();

    SessionCache(Duration keepIdle) {
        this.later = CompletableFuture.delayedExecutor(keepIdle.toMillis(), TimeUnit.MILLISECONDS);
    }

    /** The cache of this process. */
    public static SessionCache shared() {
        return SHARED;
    }

    /**
     * Leases the model of a file on the CPU and opens it if it is not open.
     *
     * @param checksum the checksum of the file: a file whose content has changed is another model
     */
    public Lease acquire(Path file, String checksum, int inputWidth, int outputWidth)
            throws BundleException {
        return acquire(file, checksum, ModelTensors.of(inputWidth, outputWidth), Device.CPU);
    }

    /**
     * Leases the model of a file on a device. The same file on another device, or with other
     * tensors, is another model.
     */
    public synchronized Lease acquire(
            Path file, String checksum, ModelTensors tensors, Device device)
            throws BundleException {
        Key key = new Key(file.toAbsolutePath().normalize(), checksum, tensors, device);
        Entry entry = entries.get(key);
        if (entry == null) {
            long bytes = size(key.file);
            OnnxModel model = OnnxModel.open(key.file, tensors, 1, device);
            try {
                BatchProbe.warnIfBatchMatters(model);
            } catch (Throwable t) {
                model.close();
                throw t;
            }
            entry = new Entry(model, bytes);
            entries.put(key, entry);
        }
        entry.leases++;
        entry.lastUse++;
        return new Lease(key, entry);
    }

    /** The number of open models, with and without leases. */
    public synchronized int size() {
        return entries.size();
    }

    /** The total size of the files of the open models. */
    public synchronized long bytes() {
        long sum = 0;
        for (Entry entry : entries.values()) {
            sum += entry.bytes;
        }
        return sum;
    }

    private static long size(Path file) throws BundleException {
        try {
            return Files.size(file);
        } catch (IOException e) {
            throw new BundleException(file, "its size cannot be read: " + FileErrors.reason(e), e);
        }
    }

    private synchronized void release(Key key, Entry entry) {
        entry.leases--;
        if (entry.leases == 0) {
            long use = entry.lastUse;
            later.execute(() -> closeIfUnusedSince(key, entry, use));
        }
    }

    private synchronized void closeIfUnusedSince(Key key, Entry entry, long use) {
        if (entry.leases == 0 && entry.lastUse == use && entries.remove(key, entry)) {
            entry.model.close();
        }
    }

    private record Key(Path file, String checksum, ModelTensors tensors, Device device) {}

    private static final class Entry {
        final OnnxModel model;
        final long bytes;
        int leases;
        long lastUse;

        Entry(OnnxModel model, long bytes) {
            this.model = model;
            this.bytes = bytes;
        }
    }

    /** The right to run a model until the lease is closed. */
    public final class Lease implements AutoCloseable {
        private final Key key;
        private final Entry entry;
        private boolean closed;

        private Lease(Key key, Entry entry) {
            this.key = key;
            this.entry = entry;
        }

        public OnnxModel model() {
            if (closed) {
                throw new IllegalStateException("the lease of " + key.file + " is closed");
            }
            return entry.model;
        }

        @Override
        public void close() {
            if (!closed) {
                closed = true;
                release(key, entry);
            }
        }
    }
}
