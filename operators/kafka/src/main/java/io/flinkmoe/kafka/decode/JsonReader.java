// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.column.InputSpec;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.flink.annotation.Internal;

/**
 * Reads records in JSON in one pass, and only the values that are wanted. Numbers keep their exact
 * values. Of a name that an object has twice, the last value counts.
 */
@Internal
public final class JsonReader implements RecordReader {

    private static final JsonFactory JSON =
            JsonFactory.builder()
                    .enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER)
                    .enable(StreamReadFeature.USE_FAST_BIG_NUMBER_PARSER)
                    .build();

    private final Part part;
    private final JsonPlaces root = new JsonPlaces();

    public JsonReader(Part part) {
        this.part = part;
    }

    @Override
    public Object decode(byte[] message) throws BadRecordException {
        root.clear();
        try (JsonParser parser = JSON.createParser(message)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw malformed("the %s is no JSON object".formatted(part));
            }
            root.read(parser);
            JsonToken trailing = parser.nextToken();
            if (trailing != null) {
                throw malformed(
                        "the %s is no JSON: Trailing token (of type %s) found after the object"
                                .formatted(part, trailing));
            }
            return root;
        } catch (JsonProcessingException e) {
            // The original message alone: the location quotes the source.
            throw malformed(
                    "the %s is no JSON: %s, at byte %d"
                            .formatted(part, e.getOriginalMessage(), position(e)));
        } catch (IOException e) {
            throw new UncheckedIOException(e); // Not from bytes in memory.
        }
    }

    private static BadRecordException malformed(String reason) {
        return new BadRecordException(Kind.MALFORMED, reason);
    }

    private static long position(JsonProcessingException e) {
        return e.getLocation() == null ? 0 : e.getLocation().getByteOffset();
    }

    @Override
    public Field input(FieldPath path, InputSpec input, boolean isAlone) {
        return field(new JsonSlot(path, input.type(), isAlone ? input.width() : null));
    }

    @Override
    public Field whole(FieldPath path) {
        return field(new JsonSlot(path, null, null));
    }

    @Override
    public Field name(FieldPath path) {
        return field(new JsonSlot(path, null, null));
    }

    private Field field(JsonSlot slot) {
        root.at(slot.path()).add(slot);
        return decoded -> slot.value();
    }

    @Override
    public Keeper keeper(KeptFields fields) {
        return fields.kept() instanceof KeptFields.Some some
                ? new JsonKeeper.OfFields(root, some.paths())
                : new JsonKeeper.OfAll(root, fields.taken());
    }
}
