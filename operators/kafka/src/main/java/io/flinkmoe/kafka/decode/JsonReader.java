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
        requireUtf8(message);
        try (JsonParser parser = JSON.createParser(message)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw malformed("the %s is no JSON object".formatted(part));
            }
            root.read(parser);
            if (parser.nextToken() != null) {
                throw refused(message);
            }
            return root;
        } catch (JsonProcessingException e) {
            throw refused(message);
        } catch (IOException e) {
            throw new UncheckedIOException(e); // Not from bytes in memory.
        }
    }

    /** The parser lets some bytes pass that are no UTF-8, and takes others for UTF-16 or UTF-32. */
    private void requireUtf8(byte[] message) throws BadRecordException {
        int fault = Unicode.firstFault(message);
        if (fault != Unicode.VALID) {
            throw malformed("the %s is no UTF-8, at byte %d".formatted(part, fault));
        } else if (message.length > 1 && (message[0] == 0 || message[1] == 0)) {
            throw malformed("the %s is no JSON object in UTF-8".formatted(part));
        }
    }

    private BadRecordException refused(byte[] message) {
        return malformed(
                "the %s is no JSON: %s"
                        .formatted(
                                part,
                                JsonFault.find(message, JSON.streamReadConstraints())
                                        .orElse("it cannot be read")));
    }

    private static BadRecordException malformed(String reason) {
        return new BadRecordException(Kind.MALFORMED, reason);
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
        return slot;
    }

    @Override
    public Keeper keeper(KeptFields fields) {
        return fields.kept() instanceof KeptFields.Some some
                ? new JsonKeeper.OfFields(root, some.paths())
                : new JsonKeeper.OfAll(root, fields.taken());
    }
}
