// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import static org.apache.flink.configuration.ConfigOptions.key;

import io.flinkmoe.kafka.TokenDeserializer;
import io.flinkmoe.kafka.source.MissingOffsets;
import io.flinkmoe.kafka.source.StartPosition;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Stream;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.kafka.clients.CommonClientConfigs;

/**
 * The Kafka options of the scoring job. Keys are the same on the command line, in YAML and in code.
 */
@PublicEvolving
public final class KafkaOptions {

    private KafkaOptions() {}

    public static final ConfigOption<String> BROKERS =
            key("moe.kafka.brokers")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The bootstrap servers of the Kafka cluster: host:port, separated"
                                    + " by commas.");

    public static final ConfigOption<Map<String, String>> PROPERTIES =
            key("moe.kafka.properties")
                    .mapType()
                    .defaultValue(Map.of())
                    .withDescription(
                            "Kafka client properties for the consumer, the producers and the"
                                    + " admin client, such as security.protocol, sasl.* and ssl.*."
                                    + " Properties that another option sets, such as group.id, are"
                                    + " rejected. Their values are never logged. Put secrets into the"
                                    + " file that --config names, because every user of the machine can"
                                    + " see a command line.");

    public static final ConfigOption<String> SOURCE_TOPIC =
            key("moe.source.topic")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The topic that contains the tokens. Reads with"
                                    + " isolation.level=read_committed by default; moe.kafka.properties"
                                    + " can change this.");

    public static final ConfigOption<String> SOURCE_GROUP_ID =
            key("moe.source.group-id")
                    .stringType()
                    .defaultValue("flink-moe")
                    .withDescription(
                            "The consumer group whose offsets are committed at every"
                                    + " checkpoint. Each job needs a group of its own.");

    public static final ConfigOption<StartPosition> SOURCE_START =
            key("moe.source.start")
                    .enumType(StartPosition.class)
                    .defaultValue(StartPosition.COMMITTED)
                    .withDescription(
                            "Where a job starts that is not restored from a checkpoint or"
                                    + " savepoint. 'earliest' or 'latest': at that offset. 'committed': at"
                                    + " the committed offset of the consumer group, or at the earliest"
                                    + " offset of partitions that have none.");

    public static final ConfigOption<MissingOffsets> SOURCE_MISSING_OFFSETS =
            key("moe.source.missing-offsets")
                    .enumType(MissingOffsets.class)
                    .defaultValue(MissingOffsets.FAIL)
                    .withDescription(
                            "What happens if the topic no longer has the offset at which the job"
                                    + " has to go on, because retention has removed the records or"
                                    + " because the topic was created anew. 'fail': the job fails,"
                                    + " without restarts. 'earliest' or 'latest': it goes on at that"
                                    + " offset.");

    public static final ConfigOption<Boolean> TAKE_OVER =
            key("moe.take-over")
                    .booleanType()
                    .defaultValue(false)
                    .withDescription(
                            "If another job uses the consumer group or the transactional ids, wait"
                                    + " until it has ended, instead of failing.");

    public static final ConfigOption<Stop> SOURCE_STOP =
            key("moe.source.stop")
                    .enumType(Stop.class)
                    .defaultValue(Stop.NEVER)
                    .withDescription(
                            "When the job ends. 'never': it runs until it is cancelled."
                                    + " 'latest': it ends after it has scored all records that the topic"
                                    + " contained when the job started.");

    public static final ConfigOption<Duration> SOURCE_MAX_OUT_OF_ORDERNESS =
            key("moe.source.max-out-of-orderness")
                    .durationType()
                    .defaultValue(Duration.ofSeconds(5))
                    .withDescription(
                            "How far timestamps within a partition may be out of order. A token"
                                    + " is late if its window ended at least this long before the"
                                    + " largest timestamp seen so far in its partition.");

    public static final ConfigOption<Duration> SOURCE_IDLE_TIMEOUT =
            key("moe.source.idle-timeout")
                    .durationType()
                    .defaultValue(Duration.ofMinutes(1))
                    .withDescription(
                            "The time after which a partition without new records no longer"
                                    + " holds back the watermark. Tokens that arrive there later can be"
                                    + " late. 0 disables the timeout.");

    public static final ConfigOption<Duration> SOURCE_MAX_DRIFT =
            key("moe.source.max-drift")
                    .durationType()
                    .defaultValue(Duration.ZERO)
                    .withDescription(
                            "How far the event time of a partition may be ahead of the slowest"
                                    + " partition before reading from it pauses (watermark alignment). 0"
                                    + " disables it.");

    public static final ConfigOption<Duration> SOURCE_MAX_AHEAD =
            key("moe.source.max-ahead")
                    .durationType()
                    .defaultValue(TokenDeserializer.DEFAULT_MAX_AHEAD)
                    .withDescription(
                            "The longest time that a token's timestamp may be after the"
                                    + " timestamp of its Kafka record and, if producers set the"
                                    + " timestamps of the topic's records, after the clock of the"
                                    + " machine that reads it. Tokens beyond it are rejected, because"
                                    + " a wrong clock would make all other tokens late. Without a"
                                    + " capacity no token is late and all timestamps are accepted.");

    public static final ConfigOption<Duration> SOURCE_MAX_BEHIND =
            key("moe.source.max-behind")
                    .durationType()
                    .defaultValue(TokenDeserializer.DEFAULT_MAX_BEHIND)
                    .withDescription(
                            "The longest time that a token's timestamp may be before the"
                                    + " timestamp of its Kafka record. A token beyond it is late and"
                                    + " has no effect on the watermark. The default, ten years, finds"
                                    + " timestamps of 0, and seconds taken for milliseconds. Without a"
                                    + " capacity no token is late, so it has no effect.");

    public static final ConfigOption<String> SINK_TOPIC =
            key("moe.sink.topic")
                    .stringType()
                    .noDefaultValue()
                    .withDescription("The topic that receives the scored tokens.");

    public static final ConfigOption<Delivery> SINK_DELIVERY =
            key("moe.sink.delivery")
                    .enumType(Delivery.class)
                    .defaultValue(Delivery.EXACTLY_ONCE)
                    .withDescription(
                            "The delivery guarantee. 'exactly-once' writes in Kafka"
                                    + " transactions that checkpoints commit, so read_committed readers"
                                    + " see new results once per checkpoint. 'idempotent' makes results"
                                    + " visible at once; after a failure it repeats some, each with the"
                                    + " same key, value and headers, so that readers can drop what"
                                    + " comes again. The key is stream/partition/position of the token,"
                                    + " and the timestamp is its event time. It excludes options that"
                                    + " let more than the source topic decide a result."
                                    + " 'at-least-once' makes results visible at once under the key"
                                    + " stream, and can repeat some of them after a failure.");

    public static final ConfigOption<String> SINK_TRANSACTIONAL_ID_PREFIX =
            key("moe.sink.transactional-id-prefix")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The prefix of the job's transactional ids. It must be unique in"
                                    + " the Kafka cluster and stay the same whenever this job starts."
                                    + " The job reuses a few ids for each sink subtask."
                                    + " Default: <moe.source.group-id>/<moe.sink.topic>.");

    public static final ConfigOption<Duration> SINK_TRANSACTION_TIMEOUT =
            key("moe.sink.transaction-timeout")
                    .durationType()
                    .defaultValue(Duration.ofMinutes(15))
                    .withDescription(
                            "The time after which the broker aborts an open transaction; at"
                                    + " most the broker's transaction.max.timeout.ms. If the job is down"
                                    + " for longer, the results since its last checkpoint are lost. Set it"
                                    + " longer than the longest outage that you want to survive.");

    public static final ConfigOption<String> DEAD_LETTER_TOPIC =
            key("moe.dead-letter.topic")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The topic that receives records that cannot be scored: the"
                                    + " complete record, its topic, partition and offset, and the"
                                    + " reason. The message key is topic-partition-offset. The record"
                                    + " is truncated if it exceeds the maximum message size. A token"
                                    + " that the model cannot run on is encoded again, without key,"
                                    + " headers and timestamp.");

    public static final ConfigOption<String> DECISION_LOG_TOPIC =
            key("moe.decision-log.topic")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The topic that receives the decision log: for each scored token"
                                    + " its window, its candidate experts with their scores, and the"
                                    + " outcome of each choice. `moe explain` reads it. Default: no"
                                    + " decision log.");

    public static final ConfigOption<String> LATE_TOPIC =
            key("moe.late.topic")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The topic that receives late tokens, encoded in the built-in"
                                    + " schema. They are not scored. Default: late tokens are scored with"
                                    + " their residual only, and their outcome is LATE.");

    /** The topic options that are set, including the optional ones. */
    static List<ConfigOption<String>> topics(ReadableConfig options) {
        return Stream.of(
                        SOURCE_TOPIC, SINK_TOPIC, DEAD_LETTER_TOPIC, DECISION_LOG_TOPIC, LATE_TOPIC)
                .filter(option -> options.getOptional(option).isPresent())
                .toList();
    }

    /** The properties of any Kafka client: the user's properties and the bootstrap servers. */
    public static Properties clientProperties(ReadableConfig options) {
        Properties properties = new Properties();
        properties.putAll(options.get(PROPERTIES));
        properties.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, options.get(BROKERS));
        return properties;
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

    /** The delivery guarantee of the sinks. */
    public enum Delivery {
        EXACTLY_ONCE,
        IDEMPOTENT,
        AT_LEAST_ONCE;

        @Override
        public String toString() {
            return optionValue(this);
        }
    }

    /** Flink parses enum options by {@code toString}, so users write {@code exactly-once}. */
    private static String optionValue(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
