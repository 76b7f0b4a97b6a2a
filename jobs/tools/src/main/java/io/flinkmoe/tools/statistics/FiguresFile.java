// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.statistics;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import org.apache.flink.annotation.Internal;

/** A JSON file of figures that were measured on this machine. It says which machine that is. */
@Internal
public final class FiguresFile {

    private static final ObjectMapper JSON =
            new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

    private final Path file;
    private final ObjectNode root = JSON.createObjectNode();

    public FiguresFile(Path file) {
        this.file = file;
        root.putObject("machine")
                .put("date", Instant.now().toString())
                .put("cores", Runtime.getRuntime().availableProcessors())
                .put("java", System.getProperty("java.version"))
                .put("os", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
    }

    /** The content, for adding figures. */
    public ObjectNode root() {
        return root;
    }

    /** Writes the file. */
    public void save() throws IOException {
        JSON.writeValue(file.toFile(), root);
    }
}
