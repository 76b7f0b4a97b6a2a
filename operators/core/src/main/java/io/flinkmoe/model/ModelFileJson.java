// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.exc.ValueInstantiationException;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import java.io.IOException;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** A {@link ModelFile} in model.json: its path, or an object if it names a tensor. */
@Internal
final class ModelFileJson {

    private static final String FILE = "file";
    private static final String INPUT = "input";
    private static final String OUTPUT = "output";
    private static final List<String> FIELDS = List.of(FILE, INPUT, OUTPUT);

    private ModelFileJson() {}

    static SimpleModule addTo(SimpleModule module) {
        return module.addSerializer(new Writer()).addDeserializer(ModelFile.class, new Reader());
    }

    private static final class Writer extends StdSerializer<ModelFile> {
        private static final long serialVersionUID = 1L;

        Writer() {
            super(ModelFile.class);
        }

        @Override
        public void serialize(ModelFile model, JsonGenerator json, SerializerProvider provider)
                throws IOException {
            if (model.isPlain()) {
                json.writeString(model.file());
                return;
            }
            json.writeStartObject();
            json.writeStringField(FILE, model.file());
            if (model.input() != null) {
                json.writeStringField(INPUT, model.input());
            }
            if (model.output() != null) {
                json.writeStringField(OUTPUT, model.output());
            }
            json.writeEndObject();
        }
    }

    private static final class Reader extends StdDeserializer<ModelFile> {
        private static final long serialVersionUID = 1L;

        Reader() {
            super(ModelFile.class);
        }

        @Override
        public ModelFile deserialize(JsonParser json, DeserializationContext context)
                throws IOException {
            JsonNode node = context.readTree(json);
            if (!node.isTextual() && !node.isObject()) {
                throw mismatch(json);
            }
            for (String field : (Iterable<String>) node::fieldNames) {
                if (!FIELDS.contains(field)) {
                    throw UnrecognizedPropertyException.from(
                            json, ModelFile.class, field, List.copyOf(FIELDS));
                }
                if (!node.get(field).isTextual()) {
                    throw mismatch(json);
                }
            }
            try {
                return node.isTextual()
                        ? ModelFile.of(node.asText())
                        : new ModelFile(text(node, FILE), text(node, INPUT), text(node, OUTPUT));
            } catch (IllegalArgumentException e) {
                throw ValueInstantiationException.from(
                        json, e.getMessage(), context.constructType(ModelFile.class), e);
            }
        }

        private static String text(JsonNode node, String field) {
            return node.has(field) ? node.get(field).asText() : null;
        }

        private static MismatchedInputException mismatch(JsonParser json) {
            return MismatchedInputException.from(json, ModelFile.class, "not a model file");
        }
    }
}
