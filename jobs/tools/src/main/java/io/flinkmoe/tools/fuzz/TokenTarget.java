// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import io.flinkmoe.schemas.MalformedRecordException;
import io.flinkmoe.schemas.TokenDecoder;
import io.flinkmoe.schemas.TokenEncoder;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.message.BinaryMessageEncoder;
import org.apache.flink.annotation.Internal;

/** Tokens as Kafka records, written with the built-in schema or with a user's schema. */
@Internal
abstract class TokenTarget implements FuzzTarget {

    /** A schema with a field of every type to skip. */
    private static final Schema RICH =
            new Schema.Parser()
                    .parse(
                            """
                            {"type": "record", "name": "Rich", "fields": [
                              {"name": "tree", "type": {"type": "record", "name": "Tree", "fields": [
                                {"name": "label", "type": "string"},
                                {"name": "next", "type": ["null", "Tree"]}]}},
                              {"name": "values", "type": {"type": "array", "items": "float"}},
                              {"name": "tags", "type": {"type": "map", "values": "string"}},
                              {"name": "stream", "type": ["null", "string"]},
                              {"name": "note", "type": "bytes"},
                              {"name": "id", "type": {"type": "fixed", "name": "Id", "size": 4}},
                              {"name": "timestamp", "type": "long"},
                              {"name": "ints", "type": {"type": "array", "items": "int"}},
                              {"name": "position", "type": "long"}]}
                            """);

    private TokenDecoder decoder;

    /** Avro's single-object encoding. */
    static final class SingleObject extends TokenTarget {
        @Override
        public List<byte[]> open(Path dir) throws IOException {
            use(TokenDecoder.singleObject(List.of(RICH)));
            ByteArrayOutputStream rich = new ByteArrayOutputStream();
            new BinaryMessageEncoder<GenericRecord>(GenericData.get(), RICH).encode(rich(), rich);
            TokenEncoder encoder = TokenEncoder.singleObject();
            return List.of(
                    encoder.encode("JFK", 7, 1_700_000_000_000L, new float[] {1, -2, 0.5f}),
                    encoder.encode("ü✈", -1, 0, new float[200]),
                    rich.toByteArray());
        }
    }

    /** Avro without a header, with the user's schema. */
    static final class Raw extends TokenTarget {
        @Override
        public List<byte[]> open(Path dir) throws IOException {
            use(TokenDecoder.raw(RICH));
            ByteArrayOutputStream one = new ByteArrayOutputStream();
            write(EncoderFactory.get().binaryEncoder(one, null));
            ByteArrayOutputStream blocks = new ByteArrayOutputStream();
            write(new EncoderFactory().configureBlockSize(64).blockingBinaryEncoder(blocks, null));
            return List.of(one.toByteArray(), blocks.toByteArray());
        }

        private static void write(BinaryEncoder out) throws IOException {
            new GenericDatumWriter<GenericRecord>(RICH).write(rich(), out);
            out.flush();
        }
    }

    final void use(TokenDecoder opened) {
        decoder = opened;
    }

    @Override
    public final void read(byte[] input) throws MalformedRecordException {
        decoder.decode(input);
    }

    @Override
    public final Set<Class<? extends Exception>> rejections() {
        return Set.of(MalformedRecordException.class);
    }

    /**
     * An exception in deep nesting has a long stack trace. Otherwise the allocation is a few times
     * the size of the input.
     */
    @Override
    public final long allocationLimit(int inputLength) {
        return (256 << 10) + 8L * inputLength;
    }

    private static GenericRecord rich() {
        GenericRecord leaf = new GenericData.Record(RICH.getField("tree").schema());
        leaf.put("label", "leaf");
        GenericRecord tree = new GenericData.Record(RICH.getField("tree").schema());
        tree.put("label", "root");
        tree.put("next", leaf);
        GenericRecord record = new GenericData.Record(RICH);
        record.put("tree", tree);
        record.put("values", List.of(1f, 2f, 3f, 4f, 5f, 6f, 7f, 8f, 9f));
        record.put("tags", Map.of("one", "1", "two", "2"));
        record.put("stream", "LAX");
        record.put("note", ByteBuffer.wrap(new byte[] {1, 2, 3}));
        record.put("id", new GenericData.Fixed(RICH.getField("id").schema(), new byte[4]));
        record.put("timestamp", 99L);
        record.put("ints", List.of(1, 2, 3));
        record.put("position", 8L);
        return record;
    }
}
