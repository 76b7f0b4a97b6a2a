// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import io.flinkmoe.api.DecisionRecord;
import io.flinkmoe.api.RankedGate;
import io.flinkmoe.schemas.ChoiceOutcome;
import io.flinkmoe.schemas.GateRanking;
import io.flinkmoe.schemas.LayerRanking;
import io.flinkmoe.schemas.RankedExpert;
import io.flinkmoe.schemas.SettledChoice;
import io.flinkmoe.schemas.TokenDecision;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.apache.avro.message.MessageEncoder;
import org.apache.avro.message.RawMessageEncoder;
import org.apache.avro.specific.SpecificData;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.kafka.clients.producer.ProducerRecord;

/** Writes the decision log to a topic. Keys and timestamps are those of scored tokens. */
@PublicEvolving
public final class DecisionSerializer extends TopicSerializer<DecisionRecord> {

    private static final long serialVersionUID = 1L;

    private final RecordFormat format;
    private static final ChoiceOutcome[] OUTCOMES = ChoiceOutcome.values();

    private final RecordKey recordKey;

    private transient MessageEncoder<TokenDecision> encoder;

    /**
     * Writes under the stream.
     *
     * @param topic the topic to write to
     * @param format the format of its records
     */
    public DecisionSerializer(String topic, RecordFormat format) {
        this(topic, format, RecordKey.STREAM);
    }

    /**
     * @param topic the topic to write to
     * @param format the format of its records
     * @param recordKey the key and the timestamp of its records
     */
    public DecisionSerializer(String topic, RecordFormat format, RecordKey recordKey) {
        super(topic);
        this.format = format;
        this.recordKey = recordKey;
    }

    @Override
    public void open(SerializationSchema.InitializationContext context, KafkaSinkContext sink) {
        encoder =
                format == RecordFormat.TOKEN
                        ? TokenDecision.getEncoder()
                        : new RawMessageEncoder<>(
                                SpecificData.getForClass(TokenDecision.class),
                                TokenDecision.getClassSchema());
    }

    @Override
    public ProducerRecord<byte[], byte[]> serialize(
            DecisionRecord decision, KafkaSinkContext context, Long timestamp) {
        try {
            ByteBuffer encoded = encoder.encode(avro(decision));
            byte[] value = new byte[encoded.remaining()];
            encoded.get(value);
            RecordKey.TokenId id =
                    new RecordKey.TokenId(
                            decision.stream(),
                            decision.partition(),
                            decision.position(),
                            decision.timestamp());
            return recordKey.record(topic, id, value, context);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static TokenDecision avro(DecisionRecord decision) {
        List<LayerRanking> layers = new ArrayList<>();
        for (DecisionRecord.Layer layer : decision.layers()) {
            List<GateRanking> gates = new ArrayList<>();
            for (RankedGate gate : layer.gates()) {
                gates.add(avro(gate));
            }
            List<SettledChoice> choices = new ArrayList<>();
            for (int choice = 0; choice < layer.outcomes().length; choice++) {
                choices.add(
                        new SettledChoice(
                                layer.experts()[choice],
                                OUTCOMES[layer.outcomes()[choice].code()],
                                layer.attempts()[choice]));
            }
            layers.add(new LayerRanking(gates, choices));
        }
        return new TokenDecision(
                decision.stream(),
                decision.position(),
                Instant.ofEpochMilli(decision.timestamp()),
                decision.windowStart() == DecisionRecord.NO_WINDOW ? null : decision.windowStart(),
                decision.modelVersion(),
                layers);
    }

    private static GateRanking avro(RankedGate gate) {
        List<RankedExpert> ranks = new ArrayList<>();
        for (int rank = 0; rank < gate.experts().length; rank++) {
            ranks.add(
                    new RankedExpert(
                            gate.experts()[rank], gate.scores()[rank], gate.weights()[rank]));
        }
        return new GateRanking(gate.name(), ranks);
    }
}
