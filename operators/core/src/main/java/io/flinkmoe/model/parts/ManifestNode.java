// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import com.fasterxml.jackson.databind.JsonNode;
import io.flinkmoe.model.BundleException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.flink.annotation.Internal;

/**
 * A value of a manifest, and where it stands. All errors name the file, the field, what was found
 * and what is expected.
 *
 * @param manifest the whole manifest
 * @param place the field, such as {@code layers[0].gates[1].input}; empty for the whole manifest
 * @param json the value; a missing node if the field is not there
 */
@Internal
record ManifestNode(Manifest manifest, String place, JsonNode json) {

    /** The file to name in messages. */
    Path file() {
        return manifest.file();
    }

    /** The field as messages name it. */
    String path() {
        String longest = "";
        for (String known : manifest.names().keySet()) {
            longest =
                    place.startsWith(known) && known.length() > longest.length() ? known : longest;
        }
        return manifest.names().getOrDefault(longest, longest) + place.substring(longest.length());
    }

    /** A field of an object, which may be missing. */
    ManifestNode field(String name) {
        return new ManifestNode(
                manifest, place.isEmpty() ? name : place + "." + name, json.path(name));
    }

    /** A field of an object, which must be there. */
    ManifestNode required(String name) throws BundleException {
        ManifestNode field = field(name);
        if (!field.isPresent()) {
            throw new BundleException(file(), "%s is missing; set it".formatted(field.path()));
        }
        return field;
    }

    boolean isPresent() {
        return !json.isMissingNode() && !json.isNull();
    }

    /** Requires an object without other fields than these. */
    ManifestNode object(String... fields) throws BundleException {
        if (!json.isObject()) {
            throw wrong("an object with the fields " + List.of(fields));
        }
        Set<String> known = new TreeSet<>(List.of(fields));
        for (String name : (Iterable<String>) json::fieldNames) {
            if (!known.contains(name)) {
                throw new BundleException(
                        file(),
                        "%s is not a known field; known fields are %s"
                                .formatted(field(name).path(), known));
            }
        }
        return this;
    }

    String text() throws BundleException {
        if (!json.isTextual() || json.asText().isBlank()) {
            throw wrong("a text");
        }
        return json.asText();
    }

    /** A text, number or flag as text: YAML reads a name such as 17 as a number. */
    String scalar() throws BundleException {
        if (!json.isValueNode() || json.asText().isEmpty()) {
            throw wrong("a text or a number");
        }
        return json.asText();
    }

    int integer() throws BundleException {
        if (!json.isInt()) {
            throw wrong("an integer");
        }
        return json.asInt();
    }

    boolean flag() throws BundleException {
        if (!json.isBoolean()) {
            throw wrong("true or false");
        }
        return json.asBoolean();
    }

    float number() throws BundleException {
        if (!json.isNumber()) {
            throw wrong("a number");
        }
        return (float) json.asDouble();
    }

    /** The entries of a list. */
    List<ManifestNode> items() throws BundleException {
        if (!json.isArray()) {
            throw wrong("a list");
        }
        List<ManifestNode> items = new ArrayList<>();
        for (int i = 0; i < json.size(); i++) {
            items.add(new ManifestNode(manifest, "%s[%d]".formatted(place, i), json.get(i)));
        }
        return items;
    }

    /** An error at this value. */
    BundleException wrong(String expected) {
        String found = isPresent() ? json.toString() : "missing";
        return new BundleException(
                file(), "%s is %s; expected %s".formatted(path(), found, expected));
    }

    /** An error of a check that begins with the name of its field. */
    BundleException invalid(IllegalArgumentException e) {
        String prefix = path().isEmpty() ? "" : path() + ": ";
        return new BundleException(file(), prefix + e.getMessage(), e);
    }
}
