// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.FileErrors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
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
    private final Map<Key, Entry<?>> entries = new HashMap<>();

    public SessionCache(Duration keepIdle) {
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
    public Lease<OnnxModel> acquire(Path file, String checksum, int inputWidth, int outputWidth)
            throws BundleException {
        return acquire(file, checksum, ModelTensors.of(inputWidth, outputWidth), Device.CPU);
    }

    /**
     * Leases the model of a file on a device. The same file on another device, or with other
     * tensors, is another model.
     */
    public Lease<OnnxModel> acquire(Path file, String checksum, ModelTensors tensors, Device device)
            throws BundleException {
        return acquire(
                new Key(file.toAbsolutePath().normalize(), checksum, tensors, device),
                path -> OnnxModel.open(path, tensors, 1, device));
    }

    /** Leases a model with named inputs and outputs, on the CPU. */
    public Lease<ColumnModel> acquireColumns(
            Path file,
            String checksum,
            List<ColumnModel.Binding> inputs,
            List<ColumnModel.Binding> outputs)
            throws BundleException {
        return acquire(
                new Key(
                        file.toAbsolutePath().normalize(),
                        checksum,
                        List.of(inputs, outputs),
                        Device.CPU),
                path -> ColumnModel.open(path, inputs, outputs));
    }

    /** Opens a model. */
    private interface Opener<M extends AutoCloseable> {
        M open(Path file) throws BundleException;
    }

    @SuppressWarnings("unchecked") // a key says what its model is used for
    private synchronized <M extends AutoCloseable> Lease<M> acquire(Key key, Opener<M> opener)
            throws BundleException {
        Entry<M> entry = (Entry<M>) entries.get(key);
        if (entry == null) {
            long bytes = size(key.file);
            entry = new Entry<>(opener.open(key.file), bytes);
            entries.put(key, entry);
        }
        entry.leases++;
        entry.lastUse++;
        return new Lease<>(key, entry);
    }

    /** The number of open models, with and without leases. */
    public synchronized int size() {
        return entries.size();
    }

    /** The total size of the files of the open models. */
    public synchronized long bytes() {
        long sum = 0;
        for (Entry<?> entry : entries.values()) {
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

    private synchronized void release(Key key, Entry<?> entry) {
        entry.leases--;
        if (entry.leases == 0) {
            long use = entry.lastUse;
            later.execute(() -> closeIfUnusedSince(key, entry, use));
        }
    }

    private synchronized void closeIfUnusedSince(Key key, Entry<?> entry, long use) {
        if (entry.leases == 0 && entry.lastUse == use && entries.remove(key, entry)) {
            close(entry.model);
        }
    }

    /**
     * @param use the tensors that the model was opened for
     */
    private record Key(Path file, String checksum, Object use, Device device) {}

    private static final class Entry<M extends AutoCloseable> {
        final M model;
        final long bytes;
        int leases;
        long lastUse;

        Entry(M model, long bytes) {
            this.model = model;
            this.bytes = bytes;
        }
    }

    private static void close(AutoCloseable model) {
        try {
            model.close();
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(e); // Models throw no checked exception.
        }
    }

    /** The right to run a model until the lease is closed. */
    public final class Lease<M extends AutoCloseable> implements AutoCloseable {
        private final Key key;
        private final Entry<M> entry;
        private boolean closed;

        private Lease(Key key, Entry<M> entry) {
            this.key = key;
            this.entry = entry;
        }

        public M model() {
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
