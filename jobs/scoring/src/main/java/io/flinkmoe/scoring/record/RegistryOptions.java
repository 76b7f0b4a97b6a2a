// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import static org.apache.flink.configuration.ConfigOptions.key;

import io.flinkmoe.kafka.registry.SubjectStrategy;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;

/** The options of the scoring job about the registry with the schemas of records. */
@PublicEvolving
public final class RegistryOptions {

    private RegistryOptions() {}

    public static final ConfigOption<List<String>> URL =
            key("moe.registry.url")
                    .stringType()
                    .asList()
                    .defaultValues()
                    .withDescription(
                            "The URL of the schema registry, such as http://host:8081. If it has"
                                    + " several, they are asked in turn.");

    public static final ConfigOption<SubjectStrategy> SUBJECT_STRATEGY =
            key("moe.registry.subject-strategy")
                    .enumType(SubjectStrategy.class)
                    .defaultValue(SubjectStrategy.TOPIC_NAME)
                    .withDescription(
                            "The subject of a schema. 'topic-name': TOPIC-value, or TOPIC-key of"
                                    + " keys. 'record-name': the full name of the record."
                                    + " 'topic-record-name': TOPIC-NAME.");

    public static final ConfigOption<Boolean> AUTO_REGISTER =
            key("moe.registry.auto-register")
                    .booleanType()
                    .defaultValue(true)
                    .withDescription(
                            "Whether the start of a job registers the schema of its answers. If"
                                    + " not, it fails if the registry does not have the schema.");

    public static final ConfigOption<String> SUBJECT =
            key("moe.registry.subject")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The subject of moe.record.schema, where that is 'latest' or a"
                                    + " version. Required with the strategies record-name and"
                                    + " topic-record-name. Default: TOPIC-value.");

    public static final ConfigOption<String> USER =
            key("moe.registry.user")
                    .stringType()
                    .noDefaultValue()
                    .withDescription("The user of basic authentication.");

    public static final ConfigOption<String> PASSWORD =
            key("moe.registry.password")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The password of basic authentication. Put it into the file that"
                                    + " --config names. It is never shown.");

    public static final ConfigOption<String> TOKEN =
            key("moe.registry.token")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The token of bearer authentication. Put it into the file that"
                                    + " --config names. It is never shown.");

    public static final ConfigOption<String> TRUST_STORE =
            key("moe.registry.trust-store")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "A PKCS12 or JKS file with the certificates that are trusted, on every"
                                    + " machine of the job. Default: those of the Java installation.");

    public static final ConfigOption<String> TRUST_STORE_PASSWORD =
            key("moe.registry.trust-store-password")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The password of the trust store, if it has one. Put it into the file"
                                    + " that --config names. It is never shown.");

    /** All of them. */
    static final List<ConfigOption<?>> ALL =
            List.of(
                    URL,
                    SUBJECT_STRATEGY,
                    AUTO_REGISTER,
                    SUBJECT,
                    USER,
                    PASSWORD,
                    TOKEN,
                    TRUST_STORE,
                    TRUST_STORE_PASSWORD);

    /** Whether the value of an option is never shown. */
    @Internal
    public static boolean isSecret(ConfigOption<?> option) {
        return option.equals(PASSWORD)
                || option.equals(TOKEN)
                || option.equals(TRUST_STORE_PASSWORD);
    }
}
