// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Origin;
import io.flinkmoe.api.RawRecord;
import io.flinkmoe.api.Token;
import io.flinkmoe.api.TokenCheck;
import io.flinkmoe.schemas.Header;
import io.flinkmoe.schemas.TokenEncoder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import org.apache.avro.message.MessageEncoder;
import org.apache.avro.message.RawMessageEncoder;
import org.apache.avro.specific.SpecificData;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Writes dead letters to a topic. A token that the model cannot read no longer has its original
 * record, so it is encoded again in the format of the topic. A record that is too large for a
 * message is truncated, and the reason says so. Topic, partition and offset identify the complete
 * record.
 *
 * <p>The message key is {@code topic-partition-offset} of the record, so a compacted topic keeps
 * every dead letter. If the origin is unknown, the key is {@code stream/position} of the token, or
 * a hash of the dead letter if there is no token.
 */
@PublicEvolving
public final class DeadLetterSerializer extends TopicSerializer<DeadLetter> {

    private static final long serialVersionUID = 1L;

    private final RecordFormat format;

    /** Characters. A parser can quote the text that it could not read. */
    private static final int MAX_REASON = 2_000;

    private static final int DEFAULT_MAX_RECORD_BYTES = (1 << 20) - (16 << 10);

    private final int maxRecordBytes;

    private transient MessageEncoder<io.flinkmoe.schemas.DeadLetter> encoder;
    private transient TokenEncoder tokens;

    /**
     * Truncates records so that dead letters fit Kafka's default {@code max.request.size}.
     *
     * @param topic the topic to write to
     * @param format the format of its records
     */
    public DeadLetterSerializer(String topic, RecordFormat format) {
        this(topic, format, DEFAULT_MAX_RECORD_BYTES);
    }

    /**
     * @param topic the topic to write to
     * @param format the format of its records
     * @param maxRecordBytes the maximum bytes of key, value and headers of a record in a dead
     *     letter: the smaller of the producer's {@code max.request.size} and the topic's {@code
     *     max.message.bytes}, minus 16 KiB for the other fields
     */
    public DeadLetterSerializer(String topic, RecordFormat format, int maxRecordBytes) {
        super(topic);
        this.format = format;
        this.maxRecordBytes = maxRecordBytes;
    }

    @Override
    public void open(SerializationSchema.InitializationContext context, KafkaSinkContext sink) {
        encoder =
                format == RecordFormat.TOKEN
                        ? io.flinkmoe.schemas.DeadLetter.getEncoder()
                        : new RawMessageEncoder<>(
                                SpecificData.getForClass(io.flinkmoe.schemas.DeadLetter.class),
                                io.flinkmoe.schemas.DeadLetter.getClassSchema());
        tokens = format == RecordFormat.TOKEN ? TokenEncoder.singleObject() : TokenEncoder.raw();
    }

    @Override
    public ProducerRecord<byte[], byte[]> serialize(
            DeadLetter letter, KafkaSinkContext context, Long timestamp) {
        RawRecord record =
                letter.token() == null ? letter.record() : RawRecord.of(encode(letter.token()));
        FittedRecord fitted = FittedRecord.of(record, maxRecordBytes);
        Origin origin = letter.origin();
        String reason = letter.reason();
        byte[] value =
                encode(
                        new io.flinkmoe.schemas.DeadLetter(
                                wrap(fitted.record().key()),
                                wrap(fitted.record().value()),
                                headers(fitted.record()),
                                record.timestamp() < 0
                                        ? null
                                        : Instant.ofEpochMilli(record.timestamp()),
                                origin.topic(),
                                origin.partition(),
                                origin.offset(),
                                letter.rejection().kind().toString(),
                                reason.substring(0, Math.min(reason.length(), MAX_REASON))
                                        + fitted.cuts()));
        return new ProducerRecord<>(topic, key(letter, value), value);
    }

    private static byte[] key(DeadLetter letter, byte[] value) {
        Origin origin = letter.origin();
        String key;
        if (origin.isKnown()) {
            key = "%s-%d-%d".formatted(origin.topic(), origin.partition(), origin.offset());
        } else if (letter.token() != null) {
            // Names of topics contain no slash, so the two kinds of keys cannot be equal.
            key = "%s/%d".formatted(stream(letter.token()), letter.token().position());
        } else {
            key = UUID.nameUUIDFromBytes(value).toString();
        }
        return key.getBytes(StandardCharsets.UTF_8);
    }

    private static String stream(Token token) {
        String stream = token.stream() == null ? "" : token.stream();
        return stream.substring(0, Math.min(stream.length(), TokenCheck.MAX_STREAM_LENGTH));
    }

    private static List<Header> headers(RawRecord record) {
        List<Header> headers = new ArrayList<>();
        for (RawRecord.Header header : record.headers()) {
            headers.add(new Header(header.key(), wrap(header.value())));
        }
        return headers;
    }

    private static ByteBuffer wrap(byte[] bytes) {
        return bytes == null ? null : ByteBuffer.wrap(bytes);
    }

    /** Returns null for a token without stream or values, which cannot be encoded. */
    private byte[] encode(Token token) {
        boolean hasValues = token.values() != null || token.inputs() != null;
        return token.stream() == null || !hasValues ? null : TokenSerializer.encode(token, tokens);
    }

    private byte[] encode(io.flinkmoe.schemas.DeadLetter letter) {
        try {
            ByteBuffer encoded = encoder.encode(letter);
            byte[] value = new byte[encoded.remaining()];
            encoded.get(value);
            return value;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * A record that fits into a message.
     *
     * @param record the record, truncated if it was too large
     * @param cuts what was truncated, to be appended to the reason; empty if nothing was
     */
    private record FittedRecord(RawRecord record, String cuts) {

        /** The maximum bytes of a header without its name and value. */
        private static final int HEADER_OVERHEAD = 12;

        /**
         * Truncates a record that is too large: key and headers to a quarter of the bytes each, the
         * value to the rest.
         *
         * @param maxBytes the maximum bytes of key, value and headers
         */
        static FittedRecord of(RawRecord record, int maxBytes) {
            long headerBytes = record.headers().stream().mapToLong(FittedRecord::bytes).sum();
            if (length(record.key()) + length(record.value()) + headerBytes <= maxBytes) {
                return new FittedRecord(record, "");
            }
            List<String> cuts = new ArrayList<>();
            byte[] key = cut(record.key(), maxBytes / 4, "key", cuts);
            List<RawRecord.Header> headers = new ArrayList<>();
            int left = maxBytes / 4;
            for (RawRecord.Header header : record.headers()) {
                if (bytes(header) > left) {
                    break;
                }
                left -= (int) bytes(header);
                headers.add(header);
            }
            if (headers.size() < record.headers().size()) {
                cuts.add("%d of %d headers".formatted(headers.size(), record.headers().size()));
            }
            long used = length(key) + maxBytes / 4 - left;
            byte[] value = cut(record.value(), maxBytes - (int) used, "value", cuts);
            return new FittedRecord(
                    new RawRecord(key, value, headers, record.timestamp()),
                    "; truncated to fit into a message (max.request.size, max.message.bytes): "
                            + String.join(", ", cuts));
        }

        private static byte[] cut(byte[] bytes, int max, String name, List<String> cuts) {
            if (length(bytes) <= max) {
                return bytes;
            }
            cuts.add("%s to %d of %d bytes".formatted(name, max, bytes.length));
            return Arrays.copyOf(bytes, max);
        }

        private static long bytes(RawRecord.Header header) {
            return HEADER_OVERHEAD
                    + header.key().getBytes(StandardCharsets.UTF_8).length
                    + length(header.value());
        }

        private static long length(byte[] bytes) {
            return bytes == null ? 0 : bytes.length;
        }
    }
}
