// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.flinkmoe.api.Rejection.Kind;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** Reads records in JSON. Numbers keep their exact values. */
@Internal
final class JsonReader implements RecordReader {

    private static final ObjectReader READER =
            JsonMapper.builder()
                    .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .build()
                    .readerFor(JsonNode.class);

    @Override
    public Object decode(byte[] message) throws BadRecordException {
        try {
            JsonNode node = READER.readValue(message);
            if (node == null || !node.isObject()) {
                throw new BadRecordException(Kind.MALFORMED, "the value is no JSON object");
            }
            return node;
        } catch (JsonProcessingException e) {
            // The original message alone: the location quotes the source.
            throw new BadRecordException(
                    Kind.MALFORMED,
                    "the value is no JSON: %s, at byte %d"
                            .formatted(e.getOriginalMessage(), position(e)));
        } catch (IOException e) {
            throw new UncheckedIOException(e); // Not from bytes in memory.
        }
    }

    private static long position(JsonProcessingException e) {
        return e.getLocation() == null ? 0 : e.getLocation().getByteOffset();
    }

    @Override
    public Field field(FieldPath path) {
        return decoded -> value(path, (JsonNode) decoded);
    }

    private static Object value(FieldPath path, JsonNode record) throws BadRecordException {
        JsonNode node = record;
        for (int i = 0; i < path.names().size(); i++) {
            if (isMissing(node)) {
                return null;
            }
            if (!node.isObject()) {
                throw new BadRecordException(
                        Kind.INPUT,
                        "%s is no object, so it has no %s"
                                .formatted(path.first(i), path.names().get(i)));
            }
            node = node.get(path.names().get(i));
        }
        return convert(path, node);
    }

    private static boolean isMissing(JsonNode node) {
        return node == null || node.isNull();
    }

    private static Object convert(FieldPath path, JsonNode node) throws BadRecordException {
        if (isMissing(node)) {
            return null;
        }
        return switch (node.getNodeType()) {
            case STRING -> node.textValue();
            case NUMBER -> node.numberValue();
            case BOOLEAN -> node.booleanValue();
            case ARRAY -> {
                List<Object> values = new ArrayList<>(node.size());
                for (JsonNode element : node) {
                    if (element.isContainerNode()) {
                        throw new BadRecordException(
                                Kind.INPUT,
                                "%s has an element that is no single value".formatted(path));
                    }
                    values.add(convert(path, element));
                }
                yield values;
            }
            default ->
                    throw new BadRecordException(
                            Kind.INPUT, "%s is an object, no single value".formatted(path));
        };
    }
}
