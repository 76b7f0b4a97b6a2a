// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/**
 * The wanted places in objects: a tree with a node for each name on the way to a wanted value. A
 * node knows of the present record what is at its place.
 */
@Internal
final class JsonPlaces {

    /** The offset of a place that the record does not have. */
    static final long NOWHERE = Long.MIN_VALUE;

    private final Map<String, JsonPlaces> byName = new HashMap<>();
    private final List<JsonPlaces> inside = new ArrayList<>(); // The same.
    private final List<JsonSlot> slots = new ArrayList<>();
    private List<String> names;
    private boolean isKept;
    private boolean isFilled;
    private long from = NOWHERE;
    private long to = NOWHERE;

    /** Returns the node of a path, and makes it if there is none. */
    JsonPlaces at(FieldPath path) {
        JsonPlaces node = this;
        for (String name : path.names()) {
            // The parser's names are interned, too, so that equal ones are the same.
            node = node.byName.computeIfAbsent(name.intern(), node::newInside);
        }
        return node;
    }

    private JsonPlaces newInside(String name) {
        JsonPlaces place = new JsonPlaces();
        inside.add(place);
        return place;
    }

    /** Reads the value at this place into a slot. */
    void add(JsonSlot slot) {
        slots.add(slot);
    }

    /** Notes where the value at this place begins and ends. */
    void keep() {
        isKept = true;
    }

    /** Notes the names in the object at this place. */
    void listNames() {
        names = new ArrayList<>();
    }

    /** The names in the object, in order. */
    List<String> names() {
        return names;
    }

    /** The first byte of the value; {@link #NOWHERE} without one. */
    long from() {
        return from;
    }

    /** The byte after the value. */
    long to() {
        return to;
    }

    /** Forgets the last record. */
    void clear() {
        if (!isFilled) {
            return;
        }
        isFilled = false;
        from = NOWHERE;
        for (int i = 0; i < slots.size(); i++) {
            slots.get(i).clear();
        }
        for (int i = 0; i < inside.size(); i++) {
            inside.get(i).clear();
        }
    }

    /** Reads the value that begins at the present token. */
    void read(JsonParser parser) throws IOException {
        clear();
        isFilled = true;
        JsonToken token = parser.currentToken();
        long begin = isKept ? parser.currentTokenLocation().getByteOffset() : NOWHERE;
        if (token == JsonToken.START_OBJECT) {
            readObject(parser);
        } else if (token == JsonToken.START_ARRAY) {
            readArray(parser);
        } else if (token != JsonToken.VALUE_NULL) {
            for (JsonSlot slot : slots) {
                slot.readScalar(parser, token);
            }
            refuseInside(1);
        }
        if (isKept) {
            parser.finishToken();
            from = begin;
            to = parser.currentLocation().getByteOffset();
        }
    }

    private void readObject(JsonParser parser) throws IOException {
        for (JsonSlot slot : slots) {
            slot.refuse("%s is an object, no single value".formatted(slot.path()));
        }
        if (names != null) {
            names.clear();
        }
        for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
            if (names != null) {
                names.add(name);
            }
            parser.nextToken();
            JsonPlaces place = byName.get(name);
            if (place == null) {
                parser.skipChildren();
            } else {
                place.read(parser);
            }
        }
    }

    private void readArray(JsonParser parser) throws IOException {
        if (slots.isEmpty()) {
            parser.skipChildren();
        } else if (slots.size() == 1) {
            slots.get(0).readArray(parser);
        } else {
            JsonSlot all = new JsonSlot(slots.get(0).path(), null, null);
            all.readArray(parser);
            slots.forEach(slot -> slot.share(all));
        }
        refuseInside(1);
    }

    /**
     * Refuses all values inside, because this is no object.
     *
     * @param up how many names further inside they are
     */
    private void refuseInside(int up) {
        for (JsonPlaces place : inside) {
            place.isFilled = true;
            for (JsonSlot slot : place.slots) {
                int depth = slot.path().names().size() - up;
                slot.refuse(
                        "%s is no object, so it has no %s"
                                .formatted(
                                        slot.path().first(depth), slot.path().names().get(depth)));
            }
            place.refuseInside(up + 1);
        }
    }
}
