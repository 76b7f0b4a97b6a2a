// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import java.nio.file.Path;
import org.apache.flink.annotation.Internal;

/** The files of a bundle on local disk: the bundle itself, or a copy of a remote one. */
@Internal
interface BundleFiles {

    /**
     * Reads and checks the bundle.
     *
     * @throws BundleException if a file is missing or not valid
     */
    Bundle read() throws BundleException;

    /**
     * Deletes the files if they are a copy.
     *
     * @return whether they are a copy
     */
    boolean discard();

    /** A bundle that needs no copy. */
    record InPlace(Path directory) implements BundleFiles {
        @Override
        public Bundle read() throws BundleException {
            return Bundle.read(directory);
        }

        @Override
        public boolean discard() {
            return false;
        }
    }
}
