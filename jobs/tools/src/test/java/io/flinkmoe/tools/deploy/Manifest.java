// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.deploy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/** A FlinkDeployment in {@code deploy/kubernetes}. */
record Manifest(ObjectNode node) {

    static Manifest read(String name) throws IOException {
        Path file = Path.of("..", "..", "deploy", "kubernetes", name);
        return new Manifest((ObjectNode) new YAMLMapper().readTree(file.toFile()));
    }

    /** The same with another value, given as YAML; null removes the field. */
    Manifest with(String pointer, String value) throws IOException {
        ObjectNode changed = node.deepCopy();
        int last = pointer.lastIndexOf('/');
        String field = pointer.substring(last + 1);
        ObjectNode parent = changed.withObject(pointer.substring(0, last));
        if (value == null) {
            parent.remove(field);
        } else {
            parent.set(field, new YAMLMapper().readTree(value));
        }
        return new Manifest(changed);
    }

    JsonNode at(String pointer) {
        return node.at(pointer);
    }

    String text(String pointer) {
        return node.at(pointer).asText("");
    }

    /** {@code spec.flinkConfiguration}, as the operator reads it: of scalars only. */
    Map<String, String> flinkConfiguration() {
        Map<String, String> options = new TreeMap<>();
        for (Map.Entry<String, JsonNode> option : at("/spec/flinkConfiguration").properties()) {
            options.put(option.getKey(), option.getValue().asText());
        }
        return options;
    }
}
