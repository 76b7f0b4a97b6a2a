// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.deploy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;

/**
 * A custom resource definition of Kubernetes, as the API server applies it with strict field
 * validation: its structural schema, in which a field that is not named is an error.
 */
final class CustomResource {

    private static final String KEEP_UNKNOWN = "x-kubernetes-preserve-unknown-fields";
    private static final String INT_OR_STRING = "x-kubernetes-int-or-string";

    private final Schema schema;

    private CustomResource(Schema schema) {
        this.schema = schema;
    }

    /** Reads a definition of one version out of the test's resources. */
    static CustomResource read(String resource) throws IOException {
        try (InputStream in = CustomResource.class.getResourceAsStream(resource)) {
            JsonNode spec = new YAMLMapper().readTree(in).get("spec");
            JsonNode version = spec.withArray("versions").get(0);
            ObjectNode schema = (ObjectNode) version.at("/schema/openAPIV3Schema");
            ObjectNode properties = schema.withObject("properties");
            properties
                    .putObject("apiVersion")
                    .put("const", spec.get("group").asText() + "/" + version.get("name").asText());
            properties.putObject("kind").put("const", spec.at("/names/kind").asText());
            ObjectNode metadata = properties.putObject("metadata").withObject("properties");
            metadata.putObject("name").put("type", "string");
            metadata.putObject("namespace").put("type", "string");
            metadata.set("labels", strings(metadata));
            metadata.set("annotations", strings(metadata));
            schema.putArray("required").add("apiVersion").add("kind").add("metadata").add("spec");
            toJsonSchema(schema);
            return new CustomResource(
                    SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12)
                            .getSchema(schema));
        }
    }

    private static ObjectNode strings(ObjectNode factory) {
        ObjectNode strings = factory.objectNode().put("type", "object");
        strings.putObject("additionalProperties").put("type", "string");
        return strings;
    }

    /** What differs between a structural schema and a JSON schema. */
    private static void toJsonSchema(JsonNode node) {
        if (node instanceof ObjectNode schema) {
            if (schema.path(INT_OR_STRING).asBoolean()) {
                schema.remove("anyOf");
                schema.putArray("type").add("integer").add("string");
            }
            boolean hasFields = schema.path("properties").isObject();
            boolean isOpen = schema.has("additionalProperties") || schema.has(KEEP_UNKNOWN);
            if (hasFields && !isOpen) {
                schema.put("additionalProperties", false);
            }
            schema.path("properties").forEach(CustomResource::toJsonSchema);
            toJsonSchema(schema.path("items"));
            toJsonSchema(schema.path("additionalProperties"));
        }
    }

    /** What is wrong with a resource, each with where it is. */
    List<String> errors(JsonNode resource) {
        return schema.validate(resource).stream()
                .map(error -> error.getInstanceLocation() + ": " + error.getMessage())
                .toList();
    }
}
