// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.explain;

import io.flinkmoe.kafka.RecordFormat;
import io.flinkmoe.schemas.TokenDecision;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.KafkaPreflight;
import io.flinkmoe.scoring.record.RecordOptions;
import io.flinkmoe.tools.kafka.TopicReader;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.avro.message.MessageDecoder;
import org.apache.avro.message.RawMessageDecoder;
import org.apache.avro.specific.SpecificData;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.kafka.common.KafkaException;

/**
 * The entries of one token in the decision log, and a summary of the log. All committed records are
 * read, from the beginning of the topic to its end at the start of reading.
 */
@Internal
public final class DecisionLog {

    private static final int SHOWN_STREAMS = 5;

    private final String topic;
    private final MessageDecoder<TokenDecision> decoder;
    private final String stream;
    private final long position;

    private final List<TokenDecision> found = new ArrayList<>();
    private final Set<String> otherStreams = new LinkedHashSet<>();
    private long decisions;
    private long unreadable;
    private long ofStream;
    private long first = Long.MAX_VALUE;
    private long last = Long.MIN_VALUE;

    private DecisionLog(ReadableConfig options, String stream, long position) {
        this.topic = options.get(KafkaOptions.DECISION_LOG_TOPIC);
        this.stream = stream;
        this.position = position;
        this.decoder =
                RecordOptions.ofTokens(options) == RecordFormat.TOKEN_RAW
                        ? new RawMessageDecoder<>(
                                SpecificData.getForClass(TokenDecision.class),
                                TokenDecision.getClassSchema())
                        : TokenDecision.getDecoder();
    }

    /**
     * Reads the decision log.
     *
     * @param options brokers, their properties, the topic of the log and the format of its records
     * @param stream the stream of the token
     * @param position the token's position in its stream
     * @throws IOException if the brokers do not respond, or if the topic does not exist or cannot
     *     be read
     */
    public static DecisionLog read(
            ReadableConfig options, String stream, long position, TopicReader.Watcher watcher)
            throws IOException {
        KafkaPreflight.checkTopic(options, KafkaOptions.DECISION_LOG_TOPIC);
        DecisionLog log = new DecisionLog(options, stream, position);
        try {
            TopicReader.forEach(
                    KafkaOptions.clientProperties(options),
                    log.topic,
                    record -> log.add(record.value()),
                    watcher);
        } catch (KafkaException e) {
            throw new IOException(
                    "the topic %s at %s cannot be read: %s"
                            .formatted(
                                    log.topic, options.get(KafkaOptions.BROKERS), e.getMessage()),
                    e);
        }
        return log;
    }

    private void add(byte[] value) {
        TokenDecision decision;
        try {
            decision = decoder.decode(value);
        } catch (IOException | RuntimeException e) {
            // The topic can contain any bytes, for which Avro throws various exceptions.
            unreadable++;
            return;
        }
        decisions++;
        if (!decision.getStream().equals(stream)) {
            // One more than is shown, to know whether there are more.
            if (otherStreams.size() <= SHOWN_STREAMS) {
                otherStreams.add(decision.getStream());
            }
            return;
        }
        ofStream++;
        first = Math.min(first, decision.getPosition());
        last = Math.max(last, decision.getPosition());
        if (decision.getPosition() == position) {
            found.add(decision);
        }
    }

    /**
     * The entries of the token. There can be several if the log was written with at-least-once
     * delivery.
     */
    public List<TokenDecision> found() {
        return found;
    }

    /** Summarizes the content of the log, for a token that is not in it. */
    public String summary() {
        String read =
                "It contains %s of stream %s"
                        .formatted(
                                ofStream == 0
                                        ? "no entries"
                                        : "%,d entries (positions %d to %d)"
                                                .formatted(ofStream, first, last),
                                stream);
        if (!otherStreams.isEmpty()) {
            read +=
                    " and %,d of other streams: %s%s"
                            .formatted(
                                    decisions - ofStream,
                                    otherStreams.stream()
                                            .limit(SHOWN_STREAMS)
                                            .collect(Collectors.joining(", ")),
                                    otherStreams.size() > SHOWN_STREAMS ? ", ..." : "");
        }
        if (unreadable > 0) {
            read +=
                    ("; %,d records are not decisions: check that this is the topic of"
                                    + " the decision log, and check %s")
                            .formatted(unreadable, RecordOptions.FORMAT.key());
            return read;
        }
        return read + ".";
    }
}
