// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import java.nio.charset.StandardCharsets;
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
    static final int NOWHERE = -1;

    /** So many names are compared with a name sooner than it becomes a text. */
    private static final int FEW = 8;

    private final byte[] name;
    private final Map<String, JsonPlaces> byName = new HashMap<>();
    private final List<JsonPlaces> inside = new ArrayList<>(); // The same.
    private final List<JsonSlot> slots = new ArrayList<>();
    private List<String> names;
    private boolean isKept;
    private boolean isFilled;
    private int from = NOWHERE;
    private int to = NOWHERE;
    private JsonPlaces first; // The one inside that was first in an earlier record.
    private JsonPlaces follower; // The one that followed this one in an earlier record.

    private JsonPlaces(String name) {
        this.name = name.getBytes(StandardCharsets.UTF_8);
    }

    static JsonPlaces ofRecord() {
        return new JsonPlaces("");
    }

    /** Returns the node of a path, and makes it if there is none. */
    JsonPlaces at(FieldPath path) {
        JsonPlaces node = this;
        for (String name : path.names()) {
            node = node.byName.computeIfAbsent(name, node::newInside);
        }
        return node;
    }

    private JsonPlaces newInside(String name) {
        JsonPlaces place = new JsonPlaces(name);
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
    int from() {
        return from;
    }

    /** The byte after the value. */
    int to() {
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

    /** Reads the value that is next. */
    void read(JsonScanner scanner) throws JsonFault {
        clear();
        isFilled = true;
        int begin = scanner.at();
        switch (scanner.next()) {
            case OBJECT -> readObject(scanner);
            case ARRAY -> readArray(scanner);
            case NULL -> scanner.skipValue();
            default -> readScalar(scanner);
        }
        if (isKept) {
            from = begin;
            to = scanner.at();
        }
    }

    private void readScalar(JsonScanner scanner) throws JsonFault {
        JsonScanner.Kind kind = scanner.readScalar();
        for (int i = 0; i < slots.size(); i++) {
            slots.get(i).setScalar(scanner, kind);
        }
        refuseInside(1);
    }

    private void readObject(JsonScanner scanner) throws JsonFault {
        for (JsonSlot slot : slots) {
            slot.refuse("%s is an object, no single value".formatted(slot.path()));
        }
        if (names == null && inside.isEmpty()) {
            scanner.skipValue();
            return;
        } else if (names != null) {
            names.clear();
        }
        JsonPlaces last = null;
        for (boolean more = scanner.enterObject(); more; more = scanner.nextName()) {
            if (names != null) {
                names.add(scanner.text());
            }
            JsonPlaces place = after(last, scanner);
            if (place == null) {
                scanner.skipValue();
            } else {
                place.read(scanner);
                last = place;
            }
        }
    }

    /**
     * Returns the place of the name that was read last, or null. Most records of a topic have the
     * same names in the same order, so that a wanted one is known without a search.
     */
    private JsonPlaces after(JsonPlaces last, JsonScanner scanner) {
        JsonPlaces guess = last == null ? first : last.follower;
        if (guess != null && scanner.isName(guess.name)) {
            return guess;
        }
        JsonPlaces place = find(scanner);
        if (place != null && last == null) {
            first = place;
        } else if (place != null) {
            last.follower = place;
        }
        return place;
    }

    private JsonPlaces find(JsonScanner scanner) {
        if (scanner.hasEscapes() || inside.size() > FEW) {
            return byName.get(scanner.text());
        }
        for (int i = 0; i < inside.size(); i++) {
            if (scanner.isName(inside.get(i).name)) {
                return inside.get(i);
            }
        }
        return null;
    }

    private void readArray(JsonScanner scanner) throws JsonFault {
        if (slots.isEmpty()) {
            scanner.skipValue();
        } else if (slots.size() == 1) {
            slots.get(0).readArray(scanner);
        } else {
            JsonSlot all = new JsonSlot(slots.get(0).path(), null, null);
            all.readArray(scanner);
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
