// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RecordRulesTest {

    private static final String SECRET = "geheim-4711";

    @Test
    void acceptsWhatEachFormatNeeds() {
        assertAccepted(options());
        assertAccepted(options("moe.format", "token-raw", "moe.schema", "a.avsc"));
        assertAccepted(
                options(
                        "moe.format", "json",
                        "moe.record.stream", "card",
                        "moe.record.timestamp.field", "at",
                        "moe.record.timestamp.unit", "seconds",
                        "moe.record.position", "n",
                        "moe.record.features.country.field", "geo.country",
                        "moe.record.keep", "all",
                        "moe.record.keep-headers", "trace",
                        "moe.record.choices", "true"));
        assertAccepted(
                options(
                        "moe.format", "avro",
                        "moe.record.stream", "header.card",
                        "moe.record.schema", "a.avsc",
                        "moe.record.answer-schema", "b.avsc"));
        assertAccepted(
                options(
                        "moe.format", "avro-registry",
                        "moe.record.stream", "key.id",
                        "moe.key.format", "avro-registry",
                        "moe.key.schema", "2",
                        "moe.record.schema", "latest",
                        "moe.record.answer-schema", "3",
                        "moe.registry.url", "https://one;https://two",
                        "moe.registry.user", "moe",
                        "moe.registry.password", SECRET,
                        "moe.registry.trust-store", "trust.p12",
                        "moe.registry.trust-store-password", SECRET));
        assertAccepted(
                options(
                        "moe.format", "avro-registry",
                        "moe.record.stream", "id",
                        "moe.record.schema", "a.avsc",
                        "moe.registry.subject-strategy", "record-name",
                        "moe.registry.url", "http://one",
                        "moe.registry.token", SECRET));
    }

    @Test
    void tokensHaveNoOptionsOfRecordsAndNoRegistry() {
        assertErrors(
                options(
                        "moe.record.stream", "card",
                        "moe.record.features.x", "amount",
                        "moe.registry.password", SECRET),
                "moe.record.stream is card; allowed with moe.format: token: no value, because tokens have the fields of their schema",
                "moe.record.features is [x]; allowed with moe.format: token: no value, because tokens have the fields of their schema",
                "moe.registry.password is set; allowed without moe.format: avro-registry: no value, because nothing else uses a registry");
        assertErrors(
                options("moe.format", "token-raw", "moe.schema", "a.avsc;b.avsc"),
                "moe.schema has 2 files; with moe.format: token-raw only one file is allowed, because such records do not identify their schema");
    }

    @Test
    void jsonHasNoSchemas() {
        assertErrors(
                options(
                        "moe.format", "json",
                        "moe.schema", "a.avsc",
                        "moe.record.timestamp.unit", "micros",
                        "moe.record.keep", "a;all",
                        "moe.record.schema", "100%.avsc",
                        "moe.record.answer-schema", "generated",
                        "moe.key.format", "json"),
                "moe.schema is [a.avsc]; allowed with moe.format: json: no value, because it is for tokens; the schema of other records is moe.record.schema",
                "moe.record.stream is missing; allowed with moe.format: json: FIELD, key, key.FIELD, header.NAME",
                "moe.record.timestamp.unit is micros; allowed without moe.record.timestamp.field: no value, because the timestamps of Kafka records are milliseconds",
                "moe.record.keep is [a, all]; allowed: fields, or only all",
                "moe.record.schema is 100%.avsc; allowed with moe.format: json: no value, because only Avro has schemas",
                "moe.record.answer-schema is generated; allowed with moe.format: json: no value, because only Avro has schemas");
    }

    /** Nothing is said that follows from another error. */
    @Test
    void keysAreReadForAFieldOfThemOnly() {
        String nothingElse =
                "; allowed unless moe.record.stream is key.FIELD: no value, because nothing else reads keys";
        assertErrors(
                options(
                        "moe.format", "json",
                        "moe.record.stream", "card",
                        "moe.key.format", "avro",
                        "moe.key.schema", "k.avsc"),
                "moe.key.format is avro" + nothingElse,
                "moe.key.schema is k.avsc" + nothingElse);
        assertErrors(
                options(
                        "moe.format", "json",
                        "moe.record.stream", "card",
                        "moe.key.format", "avro-registry"),
                "moe.key.format is avro-registry" + nothingElse);
        assertErrors(
                options(
                        "moe.format", "json",
                        "moe.key.format", "avro-registry",
                        "moe.registry.url", "http://one"),
                "moe.record.stream is missing; allowed with moe.format: json: FIELD, key, key.FIELD, header.NAME");
        assertErrors(
                options("moe.format", "json", "moe.record.stream", "key."),
                "moe.record.stream is 'key.'; allowed with moe.format: json: FIELD, key, key.FIELD, header.NAME");
    }

    @Test
    void namesEachPathThatIsNone() {
        String allowed =
                "; allowed: names separated by dots, none of them empty, such as geo.country";
        assertErrors(
                options(
                        "moe.format", "json",
                        "moe.record.stream", "a..b",
                        "moe.record.timestamp.field", ".at",
                        "moe.record.position", "n.",
                        "moe.record.features.x", "a;b..c;",
                        "moe.record.features.y.field", "",
                        "moe.record.features.y.missing", "..",
                        "moe.record.keep", "id;geo."),
                "moe.record.stream has the path 'a..b'" + allowed,
                "moe.record.timestamp.field has the path '.at'" + allowed,
                "moe.record.position has the path 'n.'" + allowed,
                "moe.record.features.x has the path 'b..c'" + allowed,
                "moe.record.features.x has the path ''" + allowed,
                "moe.record.features.y.field has the path ''" + allowed,
                "moe.record.keep has the path 'geo.'" + allowed);
        assertErrors(
                options("moe.format", "json", "moe.record.stream", "key.a..b"),
                "moe.record.stream has the path 'a..b'" + allowed,
                "moe.key.format is text; allowed with moe.record.stream: key.a..b: json, avro, avro-registry, because a text has no fields");
        assertAccepted(
                options(
                        "moe.format", "json",
                        "moe.record.stream", "header.a..b",
                        "moe.record.keep", "all"));
    }

    @Test
    void aTokenFitsAHeader() {
        for (String token : new String[] {SECRET + "\n", SECRET + " x", "\u00e4" + SECRET, ""}) {
            assertErrors(
                    options(
                            "moe.format", "avro-registry",
                            "moe.record.stream", "card",
                            "moe.registry.url", "http://one",
                            "moe.registry.token", token),
                    "moe.registry.token is not usable in an HTTP header; allowed: letters, digits and punctuation in ASCII, without blanks and line ends");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"latest", "7"})
    void avroWithoutARegistryHasItsSchemasInFiles(String inRegistry) {
        assertErrors(
                options(
                        "moe.format",
                        "avro",
                        "moe.record.stream",
                        "card",
                        "moe.record.schema",
                        inRegistry,
                        "moe.record.answer-schema",
                        inRegistry),
                "moe.record.schema is %s; allowed with moe.format: avro: a file (.avsc), because there is no registry"
                        .formatted(inRegistry),
                "moe.record.answer-schema is %s; allowed with moe.format: avro: generated, a file (.avsc), because there is no registry"
                        .formatted(inRegistry));
        assertErrors(
                options("moe.format", "avro", "moe.record.stream", "card"),
                "moe.record.schema is missing; with moe.format: avro it is the file (.avsc) with the schema");
    }

    @Test
    void aFieldOfTheKeyNeedsItsFormat() {
        assertErrors(
                options("moe.format", "json", "moe.record.stream", "key.id"),
                "moe.key.format is text; allowed with moe.record.stream: key.id: json, avro, avro-registry, because a text has no fields");
        assertErrors(
                options(
                        "moe.format", "json",
                        "moe.record.stream", "key.id",
                        "moe.key.format", "avro"),
                "moe.key.schema is missing; with moe.key.format: avro it is the file (.avsc) with the schema");
    }

    @Test
    void aRegistryHasAUrlAndOneWayToAuthenticate() {
        assertErrors(
                options(
                        "moe.format", "avro-registry",
                        "moe.record.stream", "card",
                        "moe.registry.user", "moe",
                        "moe.registry.token", SECRET,
                        "moe.registry.trust-store-password", SECRET),
                "moe.registry.url is missing; allowed: such as http://host:8081",
                "moe.registry.user is set, but moe.registry.password is not; set both or none",
                "moe.registry.token is set; allowed with moe.registry.user: no value, because a client authenticates itself in one way",
                "moe.registry.trust-store-password is set; allowed without moe.registry.trust-store: no value, because there is no trust store");
    }

    @Test
    void subjectsWithTheNameOfARecordAreGiven() {
        assertErrors(
                options(
                        "moe.format", "avro-registry",
                        "moe.record.stream", "key.id",
                        "moe.key.format", "avro-registry",
                        "moe.registry.url", "http://one",
                        "moe.registry.subject-strategy", "record-name"),
                "moe.registry.subject is missing; with moe.registry.subject-strategy: record-name and moe.record.schema: latest it names the subject of the records, such as com.example.Payment",
                "moe.key.schema is latest; allowed with moe.registry.subject-strategy: record-name: a file, because the subject of keys has the name of their record");
        assertErrors(
                options(
                        "moe.format", "json",
                        "moe.record.stream", "key.id",
                        "moe.key.format", "avro-registry",
                        "moe.registry.url", "http://one",
                        "moe.registry.subject-strategy", "topic-record-name"),
                "moe.key.schema is latest; allowed with moe.registry.subject-strategy: topic-record-name: a file, because the subject of keys has the name of their record");
        assertErrors(
                options(
                        "moe.format", "avro-registry",
                        "moe.record.stream", "card",
                        "moe.record.schema", "a.avsc",
                        "moe.registry.url", "http://one",
                        "moe.registry.subject", "s"),
                "moe.registry.subject is s; allowed with moe.record.schema: a.avsc: no value, because the schema is in a file");
    }

    private static Map<String, String> options(String... keysAndValues) {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            options.put(keysAndValues[i], keysAndValues[i + 1]);
        }
        return options;
    }

    private static void assertAccepted(Map<String, String> options) {
        assertErrors(options);
    }

    private static void assertErrors(Map<String, String> options, String... errors) {
        assertThat(RecordRules.errors(Configuration.fromMap(options)))
                .containsExactly(errors)
                .noneMatch(error -> error.contains(SECRET));
    }
}
