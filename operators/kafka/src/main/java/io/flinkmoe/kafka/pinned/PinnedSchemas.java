// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.pinned;

import java.io.IOException;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;

/**
 * The schemas that a job reads and writes with, by what they are for. A source keeps them in its
 * state; see {@link io.flinkmoe.kafka.source.TokenSource.Builder#schemas}. {@link SavepointSchemas}
 * finds them there.
 */
@PublicEvolving
public final class PinnedSchemas implements Serializable {

    private static final long serialVersionUID = 1L;

    /** The schema that the values of records are decoded with. */
    public static final String VALUE = "value";

    /** The schema that the keys of records are decoded with. */
    public static final String KEY = "key";

    /** The schema that answers are written with. */
    public static final String ANSWER = "answer";

    /** What schemas are for, in the order in which they are shown. */
    public static final List<String> NAMES = List.of(VALUE, KEY, ANSWER);

    /** No schemas. */
    public static final PinnedSchemas NONE = new PinnedSchemas(Map.of());

    private final TreeMap<String, Pinned> schemas;

    private PinnedSchemas(Map<String, Pinned> schemas) {
        this.schemas = new TreeMap<>(schemas);
    }

    /**
     * A schema.
     *
     * @param schema its text
     * @param origin where it is from, for messages
     * @param id its id in the registry; {@link #NO_ID} if it is not known
     */
    public record Pinned(String schema, String origin, int id) implements Serializable {

        /** The id of a schema whose id is not known. Registries count from 1. */
        public static final int NO_ID = -1;
    }

    /**
     * Returns the same and one more, or another one instead.
     *
     * @param name what it is for, such as {@link #VALUE}
     */
    public PinnedSchemas with(String name, Pinned schema) {
        PinnedSchemas more = new PinnedSchemas(schemas);
        more.schemas.put(name, schema);
        return more;
    }

    /** The schema for something. */
    public Optional<Pinned> get(String name) {
        return Optional.ofNullable(schemas.get(name));
    }

    /** Whether there are none. */
    public boolean isEmpty() {
        return schemas.isEmpty();
    }

    /** Writes the schemas. Texts may have any length. */
    void write(DataOutputSerializer out) throws IOException {
        out.writeInt(schemas.size());
        for (Map.Entry<String, Pinned> entry : schemas.entrySet()) {
            write(entry.getKey(), out);
            write(entry.getValue().schema(), out);
            write(entry.getValue().origin(), out);
            out.writeInt(entry.getValue().id());
        }
    }

    static PinnedSchemas read(DataInputDeserializer in) throws IOException {
        PinnedSchemas read = new PinnedSchemas(Map.of());
        for (int left = in.readInt(); left > 0; left--) {
            String name = readText(in);
            read.schemas.put(name, new Pinned(readText(in), readText(in), in.readInt()));
        }
        return read;
    }

    private static void write(String text, DataOutputSerializer out) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    private static String readText(DataInputDeserializer in) throws IOException {
        int length = in.readInt();
        if (length < 0 || length > in.available()) {
            throw new IOException(
                    "a text of the pinned schemas has %d bytes; left are %d"
                            .formatted(length, in.available()));
        }
        byte[] bytes = new byte[length];
        in.readFully(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof PinnedSchemas that && schemas.equals(that.schemas);
    }

    @Override
    public int hashCode() {
        return schemas.hashCode();
    }

    @Override
    public String toString() {
        return schemas.toString();
    }
}
