// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import io.flinkmoe.model.graph.FileContent;
import io.flinkmoe.model.proto.InlinedModel;
import io.flinkmoe.model.proto.ProtoReader;
import io.flinkmoe.tensor.Sha256;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiFunction;
import java.util.function.LongConsumer;
import org.apache.flink.annotation.Internal;

/**
 * Writes a bundle: first its files, then model.json. The files are written to a temporary directory
 * and appear in the target when the bundle is complete, model.json last. So no reader ever sees an
 * incomplete bundle.
 */
@Internal
public final class BundleWriter implements AutoCloseable {
    private final Path target;
    private final StagingDirectory staging;
    private final LongConsumer written;
    private final Map<String, String> checksums = new TreeMap<>();

    /**
     * @param target the directory of the bundle, which must be empty or not exist
     */
    public BundleWriter(Path target) throws IOException {
        this(target, bytes -> {});
    }

    /**
     * The same with a listener.
     *
     * @param written is called with the number of bytes of each block that is written
     */
    public BundleWriter(Path target, LongConsumer written) throws IOException {
        this.target = target.toAbsolutePath().normalize();
        this.staging = new StagingDirectory(this.target);
        this.written = written;
    }

    /**
     * Checks that the file system has room.
     *
     * @param bytes the size of the files that will be added
     * @throws BundleException if they do not fit
     */
    public void requireSpace(long bytes) throws IOException {
        long usable = staging.usableSpace();
        if (usable < bytes) {
            throw new BundleException(
                    target,
                    "the bundle needs %,d MB, but %,d MB are free on the file system; free some space, choose another directory or import fewer layers"
                            .formatted((bytes + 999_999) / 1_000_000, usable / 1_000_000));
        }
    }

    /** Adds a file with the given content. */
    public void add(String relative, byte[] content) throws IOException {
        add(relative, FileContent.of(content));
    }

    /** Adds a file with the given content, which is written block by block. */
    public void add(String relative, FileContent content) throws IOException {
        MessageDigest digest = Sha256.digest();
        try (OutputStream out = new Digested(newFile(relative), digest, written)) {
            content.writeTo(out);
        }
        checksums.put(relative, Sha256.hex(digest));
    }

    /**
     * The content of a user's ONNX file in a bundle: with the weights that are stored beside it.
     *
     * @throws BundleException if weights are in a separate file that is missing, too short or in
     *     another folder, or if the model has 2 GiB or more with them
     */
    public static FileContent contentOf(Path onnx) throws IOException {
        try {
            FileContent content = InlinedModel.of(onnx);
            content.size();
            return content;
        } catch (InlinedModel.ExternalFileException | IllegalArgumentException e) {
            throw new BundleException(onnx, e.getMessage(), e);
        } catch (ProtoReader.MalformedException e) {
            throw new BundleException(
                    onnx, "it is not an ONNX model, or it is damaged: " + e.getMessage(), e);
        }
    }

    /** Adds a copy of a file. */
    public void copy(String relative, Path source) throws IOException {
        MessageDigest digest = Sha256.digest();
        try (OutputStream out = new Digested(newFile(relative), digest, written)) {
            Files.copy(source, out);
        }
        checksums.put(relative, Sha256.hex(digest));
    }

    /**
     * Writes model.json, checks it and the widths of all files, and moves everything to the target.
     */
    public Bundle finish(BiFunction<String, Map<String, String>, BundleSpec> spec)
            throws IOException {
        return finish(spec, bundle -> {});
    }

    /** A check of a bundle that is complete but not visible yet. */
    @FunctionalInterface
    public interface Inspection {

        /** Throws if the bundle must not appear. Files that it adds to the bundle are kept. */
        void accept(Bundle bundle) throws IOException;
    }

    /**
     * The same with a check of the complete bundle, before it appears. If the check fails, or the
     * process is asked to end meanwhile, nothing of the bundle remains.
     *
     * @param spec makes the content of model.json from a version and the checksums of the files. It
     *     is called twice, because the version is a hash of the checksums and of the layers it
     *     returns: 12 hexadecimal digits
     */
    public Bundle finish(BiFunction<String, Map<String, String>, BundleSpec> spec, Inspection check)
            throws IOException {
        Map<String, String> all = Collections.unmodifiableMap(checksums);
        // The version depends on the files and on how they are used, not on the model's name.
        BundleSpec unnumbered = spec.apply("unnumbered", all);
        String uses =
                unnumbered.layers() + tensors(unnumbered.encoder()) + tensors(unnumbered.head());
        String version = Sha256.of((all + uses).getBytes(StandardCharsets.UTF_8)).substring(0, 12);
        ModelJson.write(spec.apply(version, all), staging.resolve(Bundle.MODEL_JSON));
        BundleSpec checked = inspect(check);
        staging.publish(Bundle.MODEL_JSON);
        return new Bundle(target, checked);
    }

    private static String tensors(ModelFile model) {
        return model == null || model.isPlain() ? "" : model.toString();
    }

    private BundleSpec inspect(Inspection check) throws IOException {
        Path directory = staging.resolve("");
        try {
            Bundle staged = Bundle.read(directory);
            check.accept(staged);
            return staged.spec();
        } catch (BundleException e) {
            staging.requireRunning(); // Otherwise files are missing because they are removed.
            // The directory of the message is about to disappear.
            String message = e.getMessage().replace(directory.toAbsolutePath() + "/", "");
            throw new BundleException(target, message, e);
        }
    }

    /** Removes the temporary directory, unless {@link #finish} has moved it to the target. */
    @Override
    public void close() throws IOException {
        staging.close();
    }

    private OutputStream newFile(String relative) throws IOException {
        Check.path("file", relative);
        if (relative.equals(Bundle.MODEL_JSON) || checksums.containsKey(relative)) {
            throw new IllegalArgumentException(
                    "file %s is already in the bundle; use another path".formatted(relative));
        }
        return staging.create(relative);
    }

    /** Passes the bytes on to a digest and counts them. */
    private static final class Digested extends FilterOutputStream {
        private final MessageDigest digest;
        private final LongConsumer written;
        private final byte[] buffer = new byte[1 << 13];
        private int buffered;

        Digested(OutputStream out, MessageDigest digest, LongConsumer written) {
            super(out);
            this.digest = digest;
            this.written = written;
        }

        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int from, int count) throws IOException {
            if (count > buffer.length - buffered) {
                flushBuffer();
            }
            if (count > buffer.length) {
                emit(bytes, from, count);
            } else {
                System.arraycopy(bytes, from, buffer, buffered, count);
                buffered += count;
            }
        }

        @Override
        public void close() throws IOException {
            try {
                flushBuffer();
            } finally {
                super.close();
            }
        }

        private void flushBuffer() throws IOException {
            emit(buffer, 0, buffered);
            buffered = 0;
        }

        private void emit(byte[] bytes, int from, int count) throws IOException {
            out.write(bytes, from, count);
            digest.update(bytes, from, count);
            written.accept(count);
        }
    }
}
