// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import io.flinkmoe.model.graph.Sha256;
import io.flinkmoe.tensor.ForeignFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A model bundle in a local directory. All its files are present, have the checksums of model.json,
 * and have the widths that model.json states.
 */
@PublicEvolving
public final class Bundle {
    static final String MODEL_JSON = "model.json";

    private final Path directory;
    private final BundleSpec spec;

    Bundle(Path directory, BundleSpec spec) {
        this.directory = directory;
        this.spec = spec;
    }

    /**
     * Reads and checks a bundle. Every file is read once, for its checksum.
     *
     * @throws BundleException if a file is missing, has another checksum, or has other widths; the
     *     message names the file or field, what was expected and what was found
     */
    public static Bundle read(Path directory) throws BundleException {
        if (!Files.isDirectory(directory)) {
            throw new BundleException(
                    directory,
                    "%s; pass the one that holds %s"
                            .formatted(FileErrors.notAFolder(directory), MODEL_JSON));
        }
        try {
            Path root = directory.toRealPath();
            BundleSpec spec =
                    ModelJson.read(
                            existing(
                                    root,
                                    MODEL_JSON,
                                    "every bundle has one; check the path of the bundle"));
            for (Map.Entry<String, String> e : spec.checksums().entrySet()) {
                Path file =
                        existing(
                                root,
                                e.getKey(),
                                "model.json lists it; copy or import the bundle again");
                checkChecksum(file, e.getValue());
            }
            Bundle bundle = new Bundle(directory, spec);
            bundle.checkWidths();
            return bundle;
        } catch (BundleException e) {
            throw e;
        } catch (IOException e) {
            throw new BundleException(directory, "cannot be read: " + FileErrors.describe(e), e);
        }
    }

    public Path directory() {
        return directory;
    }

    public BundleSpec spec() {
        return spec;
    }

    /**
     * A file of the bundle.
     *
     * @param relative the path as {@link #spec()} states it
     */
    public Path file(String relative) {
        return directory.resolve(relative);
    }

    private static Path existing(Path root, String relative, String hint) throws IOException {
        Path file = root.resolve(relative);
        if (!Files.isRegularFile(file)) {
            throw new BundleException(
                    file, "%s, but %s".formatted(FileErrors.notAFile(file), hint));
        }
        Path real = file.toRealPath();
        if (!real.startsWith(root)) {
            throw new BundleException(
                    file,
                    "it links to %s, outside the bundle; copy the file into the bundle"
                            .formatted(real));
        }
        return file;
    }

    private static void checkChecksum(Path file, String expected) throws IOException {
        String found = Sha256.of(file);
        if (!found.equals(expected)) {
            String reason =
                    "its SHA-256 is %s; expected %s according to model.json; copy or import the bundle again"
                            .formatted(found, expected);
            throw new BundleException(file, ForeignFile.kindOf(file).orElse(reason));
        }
    }

    private void checkWidths() throws IOException {
        for (ModelUse use : ModelUse.of(spec)) {
            Path file = file(use.file());
            OnnxShapes shapes = OnnxShapes.read(file, use.model().input(), use.model().output());
            checkWidth(
                    file,
                    "input " + shapes.input(),
                    shapes.inputWidth(),
                    use.inputField(),
                    use.inputWidth());
            checkWidth(
                    file,
                    "output " + shapes.output(),
                    shapes.outputWidth(),
                    use.outputField(),
                    use.outputWidth());
        }
    }

    private static void checkWidth(Path file, String tensor, int found, String field, int expected)
            throws BundleException {
        if (found != OnnxShapes.UNKNOWN && found != expected) {
            throw new BundleException(
                    file,
                    "%s is [batch, %d]; expected [batch, %d], the %s of model.json"
                            .formatted(tensor, found, expected, field));
        }
    }
}
