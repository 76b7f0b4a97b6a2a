// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.column.InputSpec;
import org.apache.flink.annotation.Internal;

/**
 * Reads records in JSON in one pass, and only the values that are wanted. Numbers keep their exact
 * values. Of a name that an object has twice, the last value counts.
 */
@Internal
public final class JsonReader implements RecordReader {

    private final Part part;
    private final JsonScanner scanner = new JsonScanner();
    private final JsonPlaces root = JsonPlaces.ofRecord();

    public JsonReader(Part part) {
        this.part = part;
    }

    @Override
    public Object decode(byte[] message) throws BadRecordException {
        root.clear();
        int fault = Unicode.firstFault(message);
        if (fault != Unicode.VALID) {
            throw malformed("no UTF-8, at byte %d".formatted(fault));
        }
        try {
            scanner.begin(message);
            root.read(scanner);
            scanner.end();
            return root;
        } catch (JsonFault e) {
            throw malformed("no JSON object: " + e.getMessage());
        }
    }

    private BadRecordException malformed(String what) {
        return new BadRecordException(Kind.MALFORMED, "the %s is %s".formatted(part, what));
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
