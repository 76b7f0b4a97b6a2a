// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

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
                            Check.existing(
                                    root,
                                    MODEL_JSON,
                                    "every bundle has one; check the path of the bundle"));
            for (Map.Entry<String, String> e : spec.checksums().entrySet()) {
                Check.verified(root, e.getKey(), e.getValue());
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
