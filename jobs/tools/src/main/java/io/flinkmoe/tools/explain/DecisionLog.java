package io.flinkmoe.tools.explain;

import io.flinkmoe.kafka.RecordFormat;
import io.flinkmoe.schemas.TokenDecision;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.KafkaPreflight;
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
 * What one reading of the decision log has found of a token, and what it has met on the way: all
 * that is committed, from the topic's beginning to its end when the reading began.
 */
@Internal
public final class DecisionLog {

    private static final int NAMED_STREAMS = 5;

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
                options.get(KafkaOptions.FORMAT) == RecordFormat.RAW
                        ? new RawMessageDecoder<>(
                                SpecificData.getForClass(TokenDecision.class),
                                TokenDecision.getClassSchema())
                        : TokenDecision.getDecoder();
    }

    /**
     * Reads the log.
     *
     * @param options brokers, their properties, the topic of the log and the format of its records
     * @param stream the stream of the token looked for
     * @param position its place there
     * @throws IOException if the brokers do not answer, the topic is not there or cannot be read
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
                    record -> log.take(record.value()),
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

    private void take(byte[] value) {
        TokenDecision decision;
        try {
            decision = decoder.decode(value);
        } catch (IOException | RuntimeException e) {
            // Whatever lies in the topic: bytes that are no decision make Avro throw many things.
            unreadable++;
            return;
        }
        decisions++;
        if (!decision.getStream().equals(stream)) {
            // One more than is named, to know that there are more.
            if (otherStreams.size() <= NAMED_STREAMS) {
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

    /** The entries of the token: more than one where the log was written at least once. */
    public List<TokenDecision> found() {
        return found;
    }

    /** What the log holds, for someone who looked for a token that it does not. */
    public String summary() {
        String read =
                "Of %s it holds %s"
                        .formatted(
                                stream,
                                ofStream == 0
                                        ? "nothing"
                                        : "%,d, from position %d to %d"
                                                .formatted(ofStream, first, last));
        if (!otherStreams.isEmpty()) {
            read +=
                    "; of other streams %,d: %s%s"
                            .formatted(
                                    decisions - ofStream,
                                    otherStreams.stream()
                                            .limit(NAMED_STREAMS)
                                            .collect(Collectors.joining(", ")),
                                    otherStreams.size() > NAMED_STREAMS ? ", ..." : "");
        }
        if (unreadable > 0) {
            read +=
                    "; %,d records are no decisions: is it the log's topic, and is %s right?"
                            .formatted(unreadable, KafkaOptions.FORMAT.key());
            return read;
        }
        return read + ".";
    }
}
