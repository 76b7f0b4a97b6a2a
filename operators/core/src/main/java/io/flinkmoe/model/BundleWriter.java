// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Comparator;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;

/**
 * Writes a bundle: first its files, then model.json. The files are written to a temporary directory
 * next to the target, which is renamed to the target when the bundle is complete. So no reader ever
 * sees an incomplete bundle.
 */
@Internal
public final class BundleWriter implements AutoCloseable {
    private final Path target;
    private final Path staging;
    private final Map<String, String> checksums = new TreeMap<>();

    /**
     * @param target the directory of the bundle, which must be empty or not exist
     */
    public BundleWriter(Path target) throws IOException {
        this.target = target.toAbsolutePath().normalize();
        requireEmptyTarget();
        Path parent = Files.createDirectories(this.target.getParent());
        this.staging =
                Files.createDirectory(
                        parent.resolve("." + this.target.getFileName() + "-" + UUID.randomUUID()));
    }

    /** Adds a file with the given content. */
    public void add(String relative, byte[] content) throws IOException {
        Files.write(newFile(relative), content);
        checksums.put(relative, Sha256.of(content));
    }

    /** Adds a copy of a file. */
    public void copy(String relative, Path source) throws IOException {
        Path file = newFile(relative);
        Files.copy(source, file);
        checksums.put(relative, Sha256.of(file));
    }

    /**
     * Writes model.json, checks the whole bundle, and renames it to the target.
     *
     * @param spec makes the content of model.json from a version and the checksums of the files. It
     *     is called twice, because the version is a hash of the checksums and of the layers it
     *     returns: 12 hexadecimal digits
     */
    public Bundle finish(BiFunction<String, Map<String, String>, BundleSpec> spec)
            throws IOException {
        Map<String, String> all = Collections.unmodifiableMap(checksums);
        // The version depends on the files and on how the layers use them, not on the model's name.
        String layers = spec.apply("unnumbered", all).layers().toString();
        String version =
                Sha256.of((all + layers).getBytes(StandardCharsets.UTF_8)).substring(0, 12);
        ModelJson.write(spec.apply(version, all), staging.resolve(Bundle.MODEL_JSON));
        BundleSpec checked = Bundle.read(staging).spec();
        requireEmptyTarget();
        Files.deleteIfExists(target);
        Files.move(staging, target);
        return new Bundle(target, checked);
    }

    /** Removes the temporary directory, unless {@link #finish} has renamed it to the target. */
    @Override
    public void close() throws IOException {
        if (!Files.exists(staging)) {
            return;
        }
        try (Stream<Path> tree = Files.walk(staging)) {
            for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    private Path newFile(String relative) throws IOException {
        Check.path("file", relative);
        if (relative.equals(Bundle.MODEL_JSON) || checksums.containsKey(relative)) {
            throw new IllegalArgumentException(
                    "file %s is already in the bundle; use another path".formatted(relative));
        }
        Path file = staging.resolve(relative);
        Files.createDirectories(file.getParent());
        return file;
    }

    private void requireEmptyTarget() throws IOException {
        if (!Files.exists(target)) {
            return;
        }
        if (!Files.isDirectory(target)) {
            throw new BundleException(target, "it is a file; expected a directory for the bundle");
        }
        try (Stream<Path> entries = Files.list(target)) {
            if (entries.findAny().isPresent()) {
                throw new BundleException(
                        target, "the directory is not empty; remove it or choose another one");
            }
        }
    }
}
