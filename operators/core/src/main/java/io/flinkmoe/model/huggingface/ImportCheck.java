// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.Bundle;
import java.io.IOException;
import java.nio.file.Path;
import org.apache.flink.annotation.PublicEvolving;

/** Checks what an import takes and makes. If a check throws, the import leaves nothing behind. */
@PublicEvolving
public interface ImportCheck {

    /** Accepts everything. */
    ImportCheck NONE = new ImportCheck() {};

    /**
     * Checks the encoder or the head, before the first layer is written.
     *
     * @param file the file that was given
     * @param inputWidth the width that its input must have
     * @param outputWidth the width that its output must have
     */
    default void checkModel(Path file, int inputWidth, int outputWidth) throws IOException {}

    /**
     * Checks the complete bundle, before it appears at its place. Files that are added to it are
     * kept.
     *
     * @param bundle is in a temporary directory
     */
    default void checkBundle(Bundle bundle) throws IOException {}
}
