// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import io.flinkmoe.api.Rejection.Kind;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/**
 * Copies the kept fields of a JSON record as they are written, so that numbers keep their text. A
 * field that the record does not have is left out.
 */
@Internal
abstract class JsonKeeper implements RecordReader.Keeper {

    private JsonKeeper() {}

    @Override
    public long form() {
        return JSON;
    }

    /** Some fields, each under its last name. */
    static final class OfFields extends JsonKeeper {

        private final List<JsonPlaces> places = new ArrayList<>();
        private final List<byte[]> names = new ArrayList<>();
        private final ByteArrayOutputStream copy = new ByteArrayOutputStream();

        OfFields(JsonPlaces root, List<FieldPath> paths) {
            for (FieldPath path : paths) {
                JsonPlaces place = root.at(path);
                place.keep();
                places.add(place);
                String quoted =
                        new String(JsonStringEncoder.getInstance().quoteAsString(path.last()));
                names.add(('"' + quoted + "\":").getBytes(StandardCharsets.UTF_8));
            }
        }

        @Override
        public byte[] kept(Object decoded, byte[] message) throws BadRecordException {
            copy.reset();
            for (int i = 0; i < places.size(); i++) {
                JsonPlaces place = places.get(i);
                if (place.from() != JsonPlaces.NOWHERE) {
                    if (copy.size() > 0) {
                        copy.write(',');
                    }
                    copy.writeBytes(names.get(i));
                    copy.write(message, place.from(), place.to() - place.from());
                }
            }
            return copy.toByteArray();
        }
    }

    /** All fields, if none has a name that the answer has otherwise. */
    static final class OfAll extends JsonKeeper {

        private final JsonPlaces root;
        private final Set<String> taken;

        OfAll(JsonPlaces root, Set<String> taken) {
            this.root = root;
            this.taken = taken;
            root.keep();
            root.listNames();
        }

        @Override
        public byte[] kept(Object decoded, byte[] message) throws BadRecordException {
            for (String name : root.names()) {
                if (taken.contains(name)) {
                    throw new BadRecordException(
                            Kind.INPUT,
                            "all fields are kept, but %s is the name of another field of the answer"
                                    .formatted(name));
                }
            }
            int from = root.from() + 1;
            int to = root.to() - 1;
            while (from < to && JsonCursor.isSpace(message[from])) {
                from++;
            }
            while (from < to && JsonCursor.isSpace(message[to - 1])) {
                to--;
            }
            return Arrays.copyOfRange(message, from, to);
        }
    }
}
