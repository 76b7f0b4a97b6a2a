// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.ModelFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/** Writes parts into a bundle, and knows from which file of the user each was made. */
@Internal
final class PartWriter {

    private final BundleWriter writer;
    private final Map<String, Path> sources = new HashMap<>();

    PartWriter(BundleWriter writer) {
        this.writer = writer;
    }

    /**
     * Writes a part.
     *
     * @param file its path in the bundle
     * @return how model.json names it; null if there is no part
     */
    ModelFile write(Part part, String file) throws IOException {
        if (part == null) {
            return null;
        }
        sources.put(file, part.source());
        return part.write(writer, file);
    }

    /** By file of the bundle, the user's file. */
    Map<String, Path> sources() {
        return Map.copyOf(sources);
    }

    /** The same error, but of the user's file if it is one of a file of the bundle. */
    BundleException ofSource(BundleException e) {
        for (Map.Entry<String, Path> file : sources.entrySet()) {
            String prefix = file.getKey() + ": ";
            int at = e.getMessage().indexOf(prefix);
            if (at >= 0) {
                String reason = e.getMessage().substring(at + prefix.length());
                return new BundleException(file.getValue(), reason, e);
            }
        }
        return e;
    }
}
