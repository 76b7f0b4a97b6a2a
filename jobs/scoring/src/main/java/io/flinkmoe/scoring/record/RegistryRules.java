// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import io.flinkmoe.scoring.record.RecordOptions.Format;
import io.flinkmoe.scoring.record.RecordOptions.KeyFormat;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ReadableConfig;

/**
 * Checks that the {@link RegistryOptions} are complete, and that none is set without a registry.
 */
@Internal
final class RegistryRules {

    private final ReadableConfig options;
    private final Refusals refusals;

    private RegistryRules(ReadableConfig options, Refusals refusals) {
        this.options = options;
        this.refusals = refusals;
    }

    static void check(ReadableConfig options, Refusals refusals) {
        new RegistryRules(options, refusals).check();
    }

    private void check() {
        if (!RecordOptions.usesRegistry(options)) {
            for (ConfigOption<?> option : RegistryOptions.ALL) {
                refusals.refuse(
                        option,
                        "without %s: %s"
                                .formatted(RecordOptions.FORMAT.key(), Format.AVRO_REGISTRY),
                        "nothing else uses a registry");
            }
            return;
        }
        if (options.get(RegistryOptions.URL).isEmpty()) {
            refusals.add(
                    "%s is missing; allowed: such as http://host:8081", RegistryOptions.URL.key());
        }
        boolean hasUser = refusals.has(RegistryOptions.USER);
        if (hasUser != refusals.has(RegistryOptions.PASSWORD)) {
            refusals.add(
                    "%s is set, but %s is not; set both or none",
                    (hasUser ? RegistryOptions.USER : RegistryOptions.PASSWORD).key(),
                    (hasUser ? RegistryOptions.PASSWORD : RegistryOptions.USER).key());
        }
        if (hasUser) {
            refusals.refuse(
                    RegistryOptions.TOKEN,
                    "with " + RegistryOptions.USER.key(),
                    "a client authenticates itself in one way");
        }
        if (!refusals.has(RegistryOptions.TRUST_STORE)) {
            refusals.refuse(
                    RegistryOptions.TRUST_STORE_PASSWORD,
                    "without " + RegistryOptions.TRUST_STORE.key(),
                    "there is no trust store");
        }
        checkToken();
        checkSubject();
        checkKeySubject();
    }

    /** The HTTP client would refuse other characters, and quote the token. */
    private void checkToken() {
        if (!options.getOptional(RegistryOptions.TOKEN).orElse("t").matches("[!-~]+")) {
            refusals.add(
                    "%s is not usable in an HTTP header; allowed: letters, digits and punctuation in ASCII, without blanks and line ends",
                    RegistryOptions.TOKEN.key());
        }
    }

    /** The subject of a schema whose record's name is not known before it has been read. */
    private void checkSubject() {
        if (options.get(RecordOptions.FORMAT) != Format.AVRO_REGISTRY) {
            refusals.refuse(
                    RegistryOptions.SUBJECT,
                    RecordOptions.FORMAT,
                    options.get(RecordOptions.FORMAT),
                    "the schema of the values is not in the registry");
            return;
        }
        String schema = options.getOptional(RecordOptions.SCHEMA).orElse("latest");
        boolean isNamed = options.get(RegistryOptions.SUBJECT_STRATEGY).needsSchema();
        if (!RecordRules.IN_REGISTRY.test(schema)) {
            refusals.refuse(
                    RegistryOptions.SUBJECT,
                    "with %s: %s".formatted(RecordOptions.SCHEMA.key(), schema),
                    "the schema is in a file");
        } else if (isNamed && !refusals.has(RegistryOptions.SUBJECT)) {
            refusals.add(
                    "%s is missing; with %s: %s and %s: %s it names the subject of the records, such as com.example.Payment",
                    RegistryOptions.SUBJECT.key(),
                    RegistryOptions.SUBJECT_STRATEGY.key(),
                    options.get(RegistryOptions.SUBJECT_STRATEGY),
                    RecordOptions.SCHEMA.key(),
                    schema);
        }
    }

    private void checkKeySubject() {
        boolean isNamed = options.get(RegistryOptions.SUBJECT_STRATEGY).needsSchema();
        if (isNamed
                && RecordOptions.readsKeys(options)
                && options.get(RecordOptions.KEY_FORMAT) == KeyFormat.AVRO_REGISTRY) {
            String key = options.getOptional(RecordOptions.KEY_SCHEMA).orElse("latest");
            if (RecordRules.IN_REGISTRY.test(key)) {
                refusals.add(
                        "%s is %s; allowed with %s: %s: a file, because the subject of keys has the name of their record",
                        RecordOptions.KEY_SCHEMA.key(),
                        key,
                        RegistryOptions.SUBJECT_STRATEGY.key(),
                        options.get(RegistryOptions.SUBJECT_STRATEGY));
            }
        }
    }
}
