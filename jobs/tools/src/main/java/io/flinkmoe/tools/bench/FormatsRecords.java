// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.kafka.registry.WireFormat;
import io.flinkmoe.schemas.TokenEncoder;
import io.flinkmoe.scoring.record.RecordOptions.Format;
import io.flinkmoe.tools.bench.contenders.Pool;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.avro.Schema;
import org.apache.avro.SchemaBuilder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.flink.annotation.Internal;

/**
 * The same vectors as tokens, in JSON and in Avro with Confluent's header: in one field, or in a
 * field for each number.
 */
@Internal
final class FormatsRecords {

    /** Makes the value of a record. */
    interface Values {

        byte[] of(String stream, long number);
    }

    private final int d;
    private final boolean hasVector;
    private final float[][] pool;
    private final long now = System.currentTimeMillis();

    private FormatsRecords(int d, boolean hasVector) {
        this.d = d;
        this.hasVector = hasVector;
        pool = Pool.of(d, 0);
    }

    /** Records with all numbers in the field x. */
    static FormatsRecords ofVector(int d) {
        return new FormatsRecords(d, true);
    }

    /** Records with a field for each number. */
    static FormatsRecords ofNumbers(int d) {
        return new FormatsRecords(d, false);
    }

    /** What names of such records end with. */
    String suffix() {
        return hasVector ? "" : "-numbers";
    }

    Values of(Format format) {
        return switch (format) {
            case TOKEN -> tokens();
            case JSON -> this::json;
            case AVRO_REGISTRY -> this::avro;
            default -> throw new IllegalArgumentException(format + " is not measured");
        };
    }

    /** The fields with the numbers. */
    String features() {
        return hasVector
                ? "x"
                : IntStream.range(0, d).mapToObj(i -> "f" + i).collect(Collectors.joining(";"));
    }

    Schema schema() {
        SchemaBuilder.FieldAssembler<Schema> fields =
                SchemaBuilder.record("Record")
                        .namespace("bench")
                        .fields()
                        .requiredString("card")
                        .requiredLong("id");
        if (hasVector) {
            return fields.name("x").type().array().items().floatType().noDefault().endRecord();
        }
        for (int i = 0; i < d; i++) {
            fields.requiredFloat("f" + i);
        }
        return fields.endRecord();
    }

    private float[] vector(long number) {
        return pool[(int) (number % pool.length)];
    }

    private Values tokens() {
        TokenEncoder encoder = TokenEncoder.singleObject();
        return (stream, number) -> encoder.encode(stream, number, now, vector(number));
    }

    private byte[] json(String stream, long number) {
        StringBuilder json = new StringBuilder();
        json.append("{\"card\":\"").append(stream).append("\",\"id\":").append(number);
        float[] vector = vector(number);
        if (hasVector) {
            json.append(",\"x\":").append(Arrays.toString(vector));
        }
        for (int i = 0; i < d && !hasVector; i++) {
            json.append(",\"f").append(i).append("\":").append(vector[i]);
        }
        return json.append('}').toString().getBytes(StandardCharsets.UTF_8);
    }

    private byte[] avro(String stream, long number) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
        try {
            encoder.writeString(stream);
            encoder.writeLong(number);
            if (hasVector) {
                encoder.writeArrayStart();
                encoder.setItemCount(d);
            }
            for (float value : vector(number)) {
                encoder.writeFloat(value);
            }
            if (hasVector) {
                encoder.writeArrayEnd();
            }
            encoder.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e); // Not into memory.
        }
        return WireFormat.message(BenchRegistry.ID, out.toByteArray());
    }
}
