// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.flinkmoe.schemas.TokenEncoder;
import io.flinkmoe.tools.flights.FlightsBundle;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.message.BinaryMessageEncoder;
import org.apache.kafka.clients.producer.ProducerRecord;

/** Good tokens of the flights bundle, and every kind of bad record among them. */
final class GoodAndBadRecords {

    static final int GOOD = 10_000;
    static final int BAD = 1_000;
    static final int STREAMS = 50;

    /** Good token i has the timestamp START + i. */
    static final long START = 991_000_000_000L;

    private GoodAndBadRecords() {}

    /** A schema by which a token may lack its stream. */
    static final Schema NULLABLE =
            new Schema.Parser()
                    .parse(
                            """
                            {"type": "record", "name": "MaybeToken", "fields": [
                              {"name": "values", "type": {"type": "array", "items": "float"}},
                              {"name": "stream", "type": ["null", "string"]},
                              {"name": "position", "type": "long"},
                              {"name": "timestamp", "type": "long"}
                            ]}
                            """);

    /** A record to send; the reason is null for a good one. */
    record Input(ProducerRecord<byte[], byte[]> record, String reason) {}

    /** Nine kinds of bad records, shuffled among the good. */
    static List<Input> shuffled(String topic) throws IOException {
        Random random = new Random(1);
        TokenEncoder encoder = TokenEncoder.singleObject();
        List<Map.Entry<String, byte[]>> kinds = badRecords(random);
        List<Boolean> order = new ArrayList<>(Collections.nCopies(GOOD, true));
        order.addAll(Collections.nCopies(BAD, false));
        Collections.shuffle(order, random);
        List<Input> inputs = new ArrayList<>();
        int good = 0;
        int bad = 0;
        for (boolean isGood : order) {
            if (isGood) {
                String stream = "stream-" + good % STREAMS;
                float[] values = FlightsBundle.features(random);
                byte[] value = encoder.encode(stream, good, START + good, values);
                inputs.add(
                        new Input(
                                new ProducerRecord<>(topic, stream.getBytes(UTF_8), value), null));
                good++;
            } else {
                Map.Entry<String, byte[]> kind = kinds.get(bad++ % kinds.size());
                inputs.add(new Input(new ProducerRecord<>(topic, kind.getValue()), kind.getKey()));
            }
        }
        return inputs;
    }

    /** A value by its reason. */
    private static List<Map.Entry<String, byte[]>> badRecords(Random random) throws IOException {
        TokenEncoder encoder = TokenEncoder.singleObject();
        float[] values = FlightsBundle.features(random);
        float[] nan = values.clone();
        nan[3] = Float.NaN;
        float[] infinite = values.clone();
        infinite[0] = Float.NEGATIVE_INFINITY;
        byte[] good = encoder.encode("s", 1, START, values);
        long ahead = System.currentTimeMillis() + Duration.ofDays(1).toMillis();
        Map<String, byte[]> kinds = new LinkedHashMap<>();
        kinds.put(
                "values has 9 entries; the model takes 10",
                encoder.encode("s", 1, START, Arrays.copyOf(values, 9)));
        kinds.put(
                "values[3] is NaN; only finite values are allowed",
                encoder.encode("s", 1, START, nan));
        kinds.put(
                "values[0] is -Infinity; only finite values are allowed",
                encoder.encode("s", 1, START, infinite));
        kinds.put("stream is null", withoutStream(values));
        kinds.put(
                "stream has 1025 characters; allowed: up to 1024",
                encoder.encode("s".repeat(1025), 1, START, values));
        kinds.put(
                "not Avro single-object encoding: starts with 7B 22; looks like JSON (an object),"
                        + " which moe.format: json reads",
                "{\"stream\": \"s\"}".getBytes(UTF_8));
        kinds.put("ends in the middle of `values`", Arrays.copyOf(good, good.length - 6));
        kinds.put(
                "timestamp * is more than max-ahead (PT1H) after the record's timestamp *",
                encoder.encode("s", 1, ahead, values));
        kinds.put("the record has no value (a tombstone)", null);
        return new ArrayList<>(kinds.entrySet());
    }

    private static byte[] withoutStream(float[] values) throws IOException {
        List<Float> boxed = new ArrayList<>();
        for (float value : values) {
            boxed.add(value);
        }
        GenericRecord record = new GenericData.Record(NULLABLE);
        record.put("values", boxed);
        record.put("position", 1L);
        record.put("timestamp", START);
        ByteBuffer bytes =
                new BinaryMessageEncoder<GenericRecord>(GenericData.get(), NULLABLE).encode(record);
        return Arrays.copyOfRange(bytes.array(), bytes.arrayOffset(), bytes.limit());
    }
}
