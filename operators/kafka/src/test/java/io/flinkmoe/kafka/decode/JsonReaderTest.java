// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.kafka.decode.RecordReader.Field;
import io.flinkmoe.kafka.decode.RecordReader.Keeper;
import io.flinkmoe.kafka.decode.RecordReader.Part;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A reader makes of a record the same, whatever it has read before. */
class JsonReaderTest {

    private static final List<String> RECORDS =
            List.of(
                    "{\"v\": [1, 2.5, -3e-2], \"geo\": {\"at\": 5, \"lon\": 1.5}, \"id\": \"a\", \"more\": 1}",
                    "{\"v\": [4, 5, 6], \"geo\": {\"at\": 6, \"lon\": 2.5}, \"id\": \"b\", \"more\": 2}",
                    "{\"id\": \"c\", \"geo\": {\"lon\": 3.5, \"at\": 7}, \"v\": [7, 8, 9]}",
                    "{\"\\u0069d\": \"d\", \"g\\u0065o\": {\"\\u0061t\": 8}, \"\\u0076\": [1, 1, 1]}",
                    "{\"v\": null, \"geo\": null, \"id\": null}",
                    "{\"geo\": 3, \"id\": {\"id\": 4}, \"v\": {\"v\": [1, 2, 3]}}",
                    "{\"id\": 1, \"id\": \"e\", \"v\": [1], \"v\": [9, 9, 9], \"geo\": {}, \"geo\": {\"at\": 1}}",
                    "{\"v\": [1, 2], \"geo\": [{\"at\": 1}], \"id\": true}",
                    "{\"v\": [1, 2, 3, 4], \"id\": \"\\ud800\"}",
                    "{\"v\": [1, 1e39, -2.5], \"geo\": {\"lon\": 1e400}}",
                    "{\"v\": [1, 16777217, 3], \"id\": 9223372036854775808}",
                    "{\"v\": [0.5, 0.5, ",
                    "{\"id\": \"f\", \"v\": [0.5, 0.5, x]}",
                    "{\"geo\": {\"at\": 99, \"lon\": [}}",
                    "{\"unread\": " + "[".repeat(2_000),
                    "{\"id\": \"g",
                    "[]",
                    " ",
                    "{}");

    private final JsonReader reader = new JsonReader(Part.VALUE);
    private final List<Field> fields =
            List.of(
                    reader.input(FieldPath.of("v"), new InputSpec("v", ColumnType.FLOAT, 3), true),
                    reader.input(
                            FieldPath.of("geo.lon"),
                            new InputSpec("lon", ColumnType.DOUBLE, null),
                            true),
                    reader.whole(FieldPath.of("geo.at")),
                    reader.name(FieldPath.of("id")));
    private final Keeper some =
            reader.keeper(
                    new KeptFields(
                            new KeptFields.Some(List.of(FieldPath.of("geo"), FieldPath.of("id"))),
                            Set.of()));
    private final Keeper all = reader.keeper(new KeptFields(new KeptFields.All(), Set.of()));

    @Test
    void doesNotRememberEarlierRecords() {
        List<String> records = new ArrayList<>();
        Random random = new Random(5);
        for (int i = 0; i < 200; i++) {
            List<String> shuffled = new ArrayList<>(RECORDS);
            Collections.shuffle(shuffled, random);
            records.addAll(shuffled);
        }
        Set<String> results = new LinkedHashSet<>();
        for (String record : records) {
            String result = read(record);
            assertThat(result).as(record).isEqualTo(new JsonReaderTest().read(record));
            results.add(result);
        }
        assertThat(results).hasSize(RECORDS.size());
    }

    /** Mutants of a record do not disturb it, and nothing else than a bad record is thrown. */
    @Test
    void readsARecordAfterAnyOther() {
        Random random = new Random(6);
        String good = RECORDS.get(0);
        String expected = read(good);
        String characters = "{}[]\",:\\0123456789-+.eEtrufalsnvigd \n";
        for (int i = 0; i < 20_000; i++) {
            StringBuilder mutant = new StringBuilder(good);
            for (int edits = 1 + random.nextInt(3); edits > 0; edits--) {
                int at = random.nextInt(mutant.length());
                char character = characters.charAt(random.nextInt(characters.length()));
                switch (random.nextInt(3)) {
                    case 0 -> mutant.setCharAt(at, character);
                    case 1 -> mutant.insert(at, character);
                    default -> mutant.deleteCharAt(at);
                }
            }
            String text = mutant.toString();
            assertThat(read(text)).as(text).isEqualTo(new JsonReaderTest().read(text));
            assertThat(read(good)).as(text).isEqualTo(expected);
        }
    }

    private String read(String record) {
        byte[] message = record.getBytes(UTF_8);
        try {
            Object decoded = reader.decode(message);
            List<Object> values = new ArrayList<>();
            for (Field field : fields) {
                values.add(value(field, decoded));
            }
            values.add(new String(some.kept(decoded, message), UTF_8));
            values.add(new String(all.kept(decoded, message), UTF_8));
            return values.toString();
        } catch (BadRecordException e) {
            return e.rejection().toString();
        }
    }

    private static Object value(Field field, Object decoded) {
        try {
            Object value = field.get(decoded);
            return value instanceof float[] floats ? Arrays.toString(floats) : value;
        } catch (BadRecordException e) {
            return e.rejection().toString();
        }
    }
}
