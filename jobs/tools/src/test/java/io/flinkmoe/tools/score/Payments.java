// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.flinkmoe.tools.flights.FlightsBundle;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.avro.Conversions;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;

/**
 * Records of a user's own for the flights model: ten features, five of them in a record within, a
 * card, a price, and a field that differs from version to version of the schema.
 */
final class Payments {

    static final Schema FIRST = schema("\"gone\"", "\"int\", \"default\": 7");
    static final Schema SECOND = schema("\"extra\"", "[\"null\", \"string\"], \"default\": null");

    /** The fields that the vector of the model is read from. */
    static final String FEATURES =
            IntStream.range(0, 10)
                    .mapToObj(i -> i < 5 ? "f" + i : "more.f" + i)
                    .collect(Collectors.joining(";"));

    private static final int CARDS = 7;

    private Payments() {}

    static String card(int n) {
        return "card-" + n % CARDS;
    }

    static BigDecimal price(int n) {
        return BigDecimal.valueOf(1_000 + n, 2);
    }

    private static Schema schema(String name, String type) {
        String outer = floats(0, 5);
        String inner = floats(5, 10);
        return new Schema.Parser()
                .parse(
                        """
                        {"type": "record", "name": "Payment", "namespace": "pay", "fields": [
                          %s,
                          {"name": "more", "type": {"type": "record", "name": "More", "fields": [%s]}},
                          {"name": "card", "type": {"type": "record", "name": "Card", "fields": [
                            {"name": "id", "type": "string"}]}},
                          {"name": "n", "type": "int"},
                          {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
                          {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
                          {"name": %s, "type": %s}]}"""
                                .formatted(outer, inner, name, type));
    }

    private static String floats(int from, int to) {
        return IntStream.range(from, to)
                .mapToObj("{\"name\": \"f%d\", \"type\": \"float\"}"::formatted)
                .collect(Collectors.joining(","));
    }

    static byte[] json(int n) {
        float[] features = FlightsBundle.features(new Random(n));
        StringBuilder json =
                new StringBuilder(
                        "{\"n\": %d, \"at\": %d, \"price\": %s, \"gone\": %d"
                                .formatted(n, 1_000 + n, price(n), n));
        for (int i = 0; i < features.length; i++) {
            json.append(i == 5 ? ", \"more\": {" : ", ")
                    .append("\"f%d\": ".formatted(i))
                    .append(features[i]);
        }
        return json.append("}, \"card\": {\"id\": \"%s\"}}".formatted(card(n)))
                .toString()
                .getBytes(UTF_8);
    }

    static byte[] avro(int n, Schema schema) throws IOException {
        float[] features = FlightsBundle.features(new Random(n));
        GenericRecord record = new GenericData.Record(schema);
        GenericRecord more = new GenericData.Record(schema.getField("more").schema());
        GenericRecord card = new GenericData.Record(schema.getField("card").schema());
        for (int i = 0; i < features.length; i++) {
            (i < 5 ? record : more).put("f" + i, features[i]);
        }
        card.put("id", card(n));
        record.put("more", more);
        record.put("card", card);
        record.put("n", n);
        Schema price = schema.getField("price").schema();
        record.put(
                "price",
                new Conversions.DecimalConversion()
                        .toBytes(price(n), price, price.getLogicalType()));
        record.put("at", 1_000L + n);
        record.put(
                schema.getField("gone") == null ? "extra" : "gone",
                schema.getField("gone") == null ? "more-" + n : (Object) n);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
        new GenericDatumWriter<GenericRecord>(schema).write(record, encoder);
        encoder.flush();
        return out.toByteArray();
    }

    /** In Confluent's wire format. */
    static byte[] avro(int n, Schema schema, int id) throws IOException {
        byte[] avro = avro(n, schema);
        return ByteBuffer.allocate(5 + avro.length).put((byte) 0).putInt(id).put(avro).array();
    }
}
