// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.apache.flink.annotation.Internal;

/**
 * Recognizes what users have in place of a model's file: a pointer of Git LFS, a web page, a file
 * of another framework. The result says what the file is and what to do.
 */
@Internal
public final class ForeignFile {
    private static final int START = 64;
    private static final String DOWNLOAD = "the download failed: download the file again";

    private ForeignFile() {}

    /** What a file is; empty if its beginning is that of no other known kind. */
    public static Optional<String> kindOf(Path file) {
        return isEmpty(file)
                ? Optional.of("it is empty; copy or download it again")
                : kindOf(start(file));
    }

    private static boolean isEmpty(Path file) {
        try {
            return Files.size(file) == 0;
        } catch (IOException e) {
            return false; // The caller reports that.
        }
    }

    /** The same for a file that must not be text. */
    static Optional<String> kindOfBinary(Path file) {
        String start = start(file);
        Optional<String> kind = kindOf(start);
        return kind.isEmpty() && start.chars().allMatch(ForeignFile::isText)
                ? Optional.of(
                        "it is a text file that begins with '%s'; %s"
                                .formatted(start.lines().findFirst().orElse("").strip(), DOWNLOAD))
                : kind;
    }

    /** The first bytes as characters; none if they cannot be read: the caller reports that. */
    private static String start(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            return new String(in.readNBytes(START), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            return "";
        }
    }

    private static Optional<String> kindOf(String text) {
        if (text.startsWith("version https://git-lfs")) {
            return Optional.of(
                    "it is a Git LFS pointer, not the file itself; run 'git lfs pull' in its"
                            + " repository, or download the file");
        } else if (text.stripLeading().startsWith("<")) {
            return Optional.of("it is a web page; " + DOWNLOAD);
        } else if (text.startsWith("PK\3\4") || text.startsWith("\u0080\2")) {
            return Optional.of(
                    "it is a PyTorch file or an archive; load the model with its library and save"
                            + " it as safetensors");
        } else if (text.startsWith("GGUF")) {
            return Optional.of(
                    "it is a GGUF file; get the safetensors files from which it was made");
        } else if (text.startsWith("\u0089HDF")) {
            return Optional.of(
                    "it is an HDF5 file of TensorFlow or Keras; get the safetensors files of the"
                            + " model");
        }
        return Optional.empty();
    }

    private static boolean isText(int c) {
        return c >= ' ' && c < 0x7f || c == '\n' || c == '\r' || c == '\t';
    }
}
