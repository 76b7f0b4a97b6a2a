package io.flinkmoe.scoring;

import static org.apache.flink.configuration.ConfigOptions.key;

import io.flinkmoe.kafka.RecordFormat;
import io.flinkmoe.kafka.TokenDeserializer;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.kafka.clients.CommonClientConfigs;

/**
 * The Kafka options of the scoring job. Keys are the same on the command line, in YAML and in code.
 */
@Internal
public final class KafkaOptions {

    private KafkaOptions() {}

    public static final ConfigOption<String> BROKERS =
            key("moe.kafka.brokers")
                    .stringType()
                    .noDefaultValue()
                    .withDescription("Kafka brokers to ask first: host:port, separated by commas.");

    public static final ConfigOption<Map<String, String>> PROPERTIES =
            key("moe.kafka.properties")
                    .mapType()
                    .defaultValue(Map.of())
                    .withDescription(
                            "Kafka client properties, passed to the consumer, the producers and the"
                                    + " admin client: security.protocol, sasl.*, ssl.* and so on."
                                    + " What another option sets, such as group.id, is refused."
                                    + " Their values are never logged. Secrets belong into the file"
                                    + " that --config names: 'ps' shows a command line to everyone.");

    public static final ConfigOption<RecordFormat> FORMAT =
            key("moe.format")
                    .enumType(RecordFormat.class)
                    .defaultValue(RecordFormat.AVRO)
                    .withDescription(
                            "How records are encoded, in and out: 'avro' is Avro's single-object encoding, whose"
                                    + " header says by which schema a record was written; 'raw' is"
                                    + " bare Avro, without a header.");

    public static final ConfigOption<List<String>> SCHEMAS =
            key("moe.schema")
                    .stringType()
                    .asList()
                    .defaultValues()
                    .withDescription(
                            "Files (.avsc) with the schemas that tokens are written by, besides the"
                                    + " shipped one. Each is a record with the fields stream, position,"
                                    + " timestamp and values, in any order; other fields are skipped."
                                    + " With moe.format raw: at most one, used instead of the"
                                    + " shipped one.");

    public static final ConfigOption<String> SOURCE_TOPIC =
            key("moe.source.topic")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The topic that tokens are read from; of transactions, what is"
                                    + " committed, unless moe.kafka.properties sets isolation.level.");

    public static final ConfigOption<String> SOURCE_GROUP_ID =
            key("moe.source.group-id")
                    .stringType()
                    .defaultValue("flink-moe")
                    .withDescription(
                            "The consumer group that offsets are committed to, at every checkpoint."
                                    + " One per job.");

    public static final ConfigOption<Start> SOURCE_START =
            key("moe.source.start")
                    .enumType(Start.class)
                    .defaultValue(Start.COMMITTED)
                    .withDescription(
                            "Where a job that starts without a checkpoint begins: at the earliest"
                                    + " offset, at the latest, or at the group's committed offset, and"
                                    + " at the earliest where there is none.");

    public static final ConfigOption<Stop> SOURCE_STOP =
            key("moe.source.stop")
                    .enumType(Stop.class)
                    .defaultValue(Stop.NEVER)
                    .withDescription(
                            "When the job ends: never, or once it has scored what the topic held when"
                                    + " the job started ('latest').");

    public static final ConfigOption<Duration> SOURCE_MAX_OUT_OF_ORDERNESS =
            key("moe.source.max-out-of-orderness")
                    .durationType()
                    .defaultValue(Duration.ofSeconds(5))
                    .withDescription(
                            "How far, in event time, a token may lie behind an earlier one of its"
                                    + " partition and still be in time for its window.");

    public static final ConfigOption<Duration> SOURCE_IDLE_TIMEOUT =
            key("moe.source.idle-timeout")
                    .durationType()
                    .defaultValue(Duration.ofMinutes(1))
                    .withDescription(
                            "A partition without records for this long no longer holds back the"
                                    + " watermark; what it brings later may be late. 0: never.");

    public static final ConfigOption<Duration> SOURCE_MAX_DRIFT =
            key("moe.source.max-drift")
                    .durationType()
                    .defaultValue(Duration.ZERO)
                    .withDescription(
                            "How far, in event time, a partition may run ahead of the slowest before"
                                    + " reading from it pauses (watermark alignment). 0: off.");

    public static final ConfigOption<Duration> SOURCE_MAX_AHEAD =
            key("moe.source.max-ahead")
                    .durationType()
                    .defaultValue(TokenDeserializer.DEFAULT_MAX_AHEAD)
                    .withDescription(
                            "A token whose timestamp lies further than this beyond the timestamp of"
                                    + " its Kafka record becomes a dead letter: its clock is wrong, and"
                                    + " it would make every other token late.");

    public static final ConfigOption<String> SINK_TOPIC =
            key("moe.sink.topic")
                    .stringType()
                    .noDefaultValue()
                    .withDescription("The topic that scored tokens are written to.");

    public static final ConfigOption<Delivery> SINK_DELIVERY =
            key("moe.sink.delivery")
                    .enumType(Delivery.class)
                    .defaultValue(Delivery.EXACTLY_ONCE)
                    .withDescription(
                            "'exactly-once' writes in Kafka transactions that checkpoints commit:"
                                    + " results show to read_committed readers once per checkpoint."
                                    + " 'at-least-once' shows them at once, and some of them again"
                                    + " after a failure.");

    public static final ConfigOption<String> SINK_TRANSACTIONAL_ID_PREFIX =
            key("moe.sink.transactional-id-prefix")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "Begins the names of the job's Kafka transactions. Unique among the jobs"
                                    + " of a Kafka cluster, and the same at each start of this job."
                                    + " Default: <moe.source.group-id>-<moe.sink.topic>.");

    public static final ConfigOption<Duration> SINK_TRANSACTION_TIMEOUT =
            key("moe.sink.transaction-timeout")
                    .durationType()
                    .defaultValue(Duration.ofMinutes(15))
                    .withDescription(
                            "When the broker aborts a transaction that nobody commits; at most its"
                                    + " transaction.max.timeout.ms. If the job is down for longer than"
                                    + " this, results since its last checkpoint are lost: make it longer"
                                    + " than the longest outage to survive.");

    public static final ConfigOption<String> DEAD_LETTER_TOPIC =
            key("moe.dead-letter.topic")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The topic for records that cannot be scored: their raw bytes (of those"
                                    + " that no message holds, the first), topic, partition, offset,"
                                    + " and the reason. Tokens that the model cannot read are"
                                    + " encoded anew, and have no origin.");

    public static final ConfigOption<String> DECISION_LOG_TOPIC =
            key("moe.decision-log.topic")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The topic for the decision log: for each scored token its window, the"
                                    + " experts that it might try with their scores, and what became"
                                    + " of each choice; `moe explain` reads it. Default: no log.");

    public static final ConfigOption<String> LATE_TOPIC =
            key("moe.late.topic")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The topic for tokens that come too late for their capacity window,"
                                    + " instead of scoring them; encoded anew, in the fields of our"
                                    + " schema. Default: they keep their residual, with the outcome"
                                    + " LATE.");

    /** The topics that are given, the optional ones too. */
    static List<ConfigOption<String>> topics(ReadableConfig options) {
        return Stream.of(
                        SOURCE_TOPIC, SINK_TOPIC, DEAD_LETTER_TOPIC, DECISION_LOG_TOPIC, LATE_TOPIC)
                .filter(option -> options.getOptional(option).isPresent())
                .toList();
    }

    /** The user's client properties and the brokers, for any Kafka client. */
    public static Properties clientProperties(ReadableConfig options) {
        Properties properties = new Properties();
        properties.putAll(options.get(PROPERTIES));
        properties.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, options.get(BROKERS));
        return properties;
    }

    /** Where a job begins that starts without a checkpoint. */
    public enum Start {
        EARLIEST,
        LATEST,
        COMMITTED;

        @Override
        public String toString() {
            return optionValue(this);
        }
    }

    /** When the job ends. */
    public enum Stop {
        NEVER,
        LATEST;

        @Override
        public String toString() {
            return optionValue(this);
        }
    }

    /** What the sinks promise. */
    public enum Delivery {
        EXACTLY_ONCE,
        AT_LEAST_ONCE;

        @Override
        public String toString() {
            return optionValue(this);
        }
    }

    /** Flink matches an enum option by toString, so this is how it is written: exactly-once. */
    private static String optionValue(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
