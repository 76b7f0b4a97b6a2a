// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.io.JsonStringEncoder;
import io.flinkmoe.api.Rejection.Kind;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/**
 * Copies the kept fields of a JSON record as they are written, so that numbers keep their text, and
 * the kept headers. A field that the record does not have is left out.
 */
@Internal
final class KeptParts {

    private static final JsonFactory JSON = new JsonFactory();

    private final List<FieldPath> fields;
    private final List<String> headers;

    KeptParts(RecordBinding binding) {
        this.fields = binding.kept();
        this.headers = binding.keptHeaders();
    }

    boolean isEmpty() {
        return fields.isEmpty() && headers.isEmpty();
    }

    /** Returns the payload of the token of a record, whose value is known to be a JSON object. */
    byte[] payload(ConsumerRecord<byte[], byte[]> record) throws BadRecordException {
        List<Header> found = new ArrayList<>();
        for (Header header : record.headers()) {
            if (headers.contains(header.key())) {
                found.add(header);
            }
        }
        try {
            return new Payload(found, copy(record.value())).toBytes();
        } catch (IOException e) {
            throw new BadRecordException(
                    Kind.MALFORMED, "the kept fields cannot be copied: " + e.getMessage());
        }
    }

    private byte[] copy(byte[] json) throws IOException, BadRecordException {
        int[][] places = new int[fields.size()][];
        if (!fields.isEmpty()) {
            try (JsonParser parser = JSON.createParser(json)) {
                parser.nextToken();
                find(parser, 0, fields, places);
            }
        }
        ByteArrayOutputStream copy = new ByteArrayOutputStream();
        for (int i = 0; i < places.length; i++) {
            if (places[i] != null) {
                copy.write((copy.size() == 0 ? "\"" : ",\"").getBytes(StandardCharsets.UTF_8));
                copy.write(JsonStringEncoder.getInstance().quoteAsUTF8(fields.get(i).last()));
                copy.write("\":".getBytes(StandardCharsets.UTF_8));
                copy.write(json, places[i][0], places[i][1] - places[i][0]);
            }
        }
        return copy.toByteArray();
    }

    /**
     * Finds values in the object that begins at the present token.
     *
     * @param depth the names of a path that lead to the object
     * @param candidates the paths that lead there
     * @param places receives the first byte of each value, and the one after its last
     */
    private void find(JsonParser parser, int depth, List<FieldPath> candidates, int[][] places)
            throws IOException, BadRecordException {
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String name = parser.currentName();
            List<FieldPath> inside = new ArrayList<>();
            FieldPath here = null;
            for (FieldPath path : candidates) {
                if (path.names().get(depth).equals(name)) {
                    if (path.names().size() == depth + 1) {
                        here = path;
                    } else {
                        inside.add(path);
                    }
                }
            }
            JsonToken value = parser.nextToken();
            int from = place(parser.currentTokenLocation().getByteOffset());
            if (!inside.isEmpty() && value == JsonToken.START_OBJECT) {
                find(parser, depth + 1, inside, places);
            } else {
                parser.skipChildren();
                parser.finishToken();
            }
            if (here != null) {
                places[fields.indexOf(here)] =
                        new int[] {from, place(parser.currentLocation().getByteOffset())};
            }
        }
    }

    /** Records in UTF-16 and UTF-32 have characters only. */
    private static int place(long offset) throws BadRecordException {
        if (offset < 0) {
            throw new BadRecordException(
                    Kind.MALFORMED, "the value is JSON in another encoding than UTF-8");
        }
        return (int) offset;
    }
}
