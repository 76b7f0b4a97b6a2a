// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

import java.io.EOFException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;

/**
 * Reads tokens from Avro bytes and copies the vector in bulk.
 *
 * <p>A writer schema is any record with the fields {@code stream} (string, or union of null and
 * string), {@code position} (long), {@code timestamp} (long, milliseconds), and {@code values}
 * (array of float) or {@code inputs} (a map from columns to values) or both, in any order. Its
 * other fields are skipped.
 *
 * <p>A decoder holds the token that it read last. It is not thread-safe.
 */
public final class TokenDecoder {

    private static final float[] NO_VALUES = {};

    private final boolean header;
    private final long[] fingerprints;
    private final TokenLayout[] layouts;
    private final VectorCodec vectors = new VectorCodec();
    private final BoundedReader text = new BoundedReader();
    private final InputSink sink;

    private BinaryDecoder in;
    private String stream;
    private long position;
    private long timestamp;
    private float[] values;
    private boolean hasInputs;

    private TokenDecoder(boolean header, List<Schema> writers, InputSink sink) {
        this.header = header;
        this.sink = sink;
        fingerprints = writers.stream().mapToLong(SingleObject::fingerprint).toArray();
        layouts = writers.stream().map(TokenLayout::new).toArray(TokenLayout[]::new);
    }

    /** A decoder for Avro's single-object encoding of tokens that have a vector. */
    public static TokenDecoder singleObject(List<Schema> writers) {
        return singleObject(writers, InputSink.NONE);
    }

    /** A decoder for bare Avro, without a header, of tokens that have a vector. */
    public static TokenDecoder raw(Schema writer) {
        return raw(writer, InputSink.NONE);
    }

    /**
     * A decoder for Avro's single-object encoding.
     *
     * @param writers writer schemas of tokens, in addition to the shipped {@link Token}
     * @param sink receives the inputs of tokens that have columns instead of a vector
     * @throws IllegalArgumentException if one of them is not a token schema, with the reason
     */
    public static TokenDecoder singleObject(List<Schema> writers, InputSink sink) {
        List<Schema> all = new ArrayList<>(writers);
        all.add(0, Token.getClassSchema());
        return new TokenDecoder(true, all, sink);
    }

    /**
     * A decoder for bare Avro, without a header.
     *
     * @param writer the writer schema of all tokens
     * @param sink receives the inputs of tokens that have columns instead of a vector
     * @throws IllegalArgumentException if it is not a token schema, with the reason
     */
    public static TokenDecoder raw(Schema writer, InputSink sink) {
        return new TokenDecoder(false, List.of(writer), sink);
    }

    /**
     * Reads the token of a message. The message must contain nothing else.
     *
     * @throws MalformedRecordException if the message is anything else; the decoder's token is then
     *     undefined
     */
    public void decode(byte[] message) throws MalformedRecordException {
        try {
            if (header) {
                read(layout(SingleObject.readFingerprint(message)), message, true);
            } else {
                read(layouts[0], message, false);
            }
        } catch (MalformedRecordException e) {
            if (e.kind() == MalformedRecordException.Kind.OTHER && hasOtherFormat(message)) {
                throw new MalformedRecordException(
                        MalformedRecordException.Kind.FORMAT,
                        "%s; looks like %s"
                                .formatted(
                                        e.getMessage(),
                                        header
                                                ? "Avro without a header, which moe.format: token-raw reads"
                                                : "Avro's single-object encoding, which moe.format: token reads"));
            }
            throw Framing.explain(message, e);
        }
    }

    /** Whether a message that this decoder cannot read has the encoding of the other one. */
    private boolean hasOtherFormat(byte[] message) {
        if (!header) {
            return SingleObject.isMarked(message);
        }
        for (TokenLayout layout : layouts) {
            try {
                read(layout, message, false);
                // A few zero bytes are a token, too, but an empty one.
                return stream != null && !stream.isEmpty() && (hasInputs || values.length > 0);
            } catch (MalformedRecordException e) {
                // It is not a token of this schema.
            }
        }
        return false;
    }

    private void read(TokenLayout layout, byte[] message, boolean withHeader)
            throws MalformedRecordException {
        int start = withHeader ? SingleObject.HEADER_BYTES : 0;
        in = DecoderFactory.get().binaryDecoder(message, start, message.length - start, in);
        values = NO_VALUES;
        hasInputs = false;
        sink.start();
        int field = 0;
        try {
            for (; field < layout.parts.length; field++) {
                readField(layout, field, message.length - start);
            }
            if (!in.isEnd()) {
                throw new MalformedRecordException("has more bytes after the end of the record");
            }
        } catch (EOFException e) {
            throw new MalformedRecordException(
                    "ends in the middle of `%s`".formatted(layout.names[field]));
        } catch (IOException | RuntimeException e) {
            throw new MalformedRecordException(
                    "`%s` is malformed: %s".formatted(layout.names[field], e.getMessage()));
        } catch (StackOverflowError e) {
            throw new MalformedRecordException(
                    "`%s` is nested too deeply".formatted(layout.names[field]));
        }
    }

    /** The stream; null if the writer's schema allows null and the message contains it. */
    public String stream() {
        return stream;
    }

    public long position() {
        return position;
    }

    /** Event time, milliseconds since the epoch. */
    public long timestamp() {
        return timestamp;
    }

    /** Whether the message has inputs, which the sink has received. */
    public boolean hasInputs() {
        return hasInputs;
    }

    /** The vector, in a new array for each message; empty if the message has none. */
    public float[] values() {
        return values;
    }

    private TokenLayout layout(long fingerprint) throws MalformedRecordException {
        for (int i = 0; i < fingerprints.length; i++) {
            if (fingerprints[i] == fingerprint) {
                return layouts[i];
            }
        }
        throw new MalformedRecordException(
                MalformedRecordException.Kind.UNKNOWN_SCHEMA,
                "unknown schema fingerprint %016x; give its schema with moe.schema"
                        .formatted(fingerprint));
    }

    private void readField(TokenLayout layout, int field, int limit) throws IOException {
        switch (layout.parts[field]) {
            case TokenLayout.STREAM -> stream = text.readText(in, limit);
            case TokenLayout.STREAM_OR_NULL -> stream = readNullableString(layout.nullIndex, limit);
            case TokenLayout.POSITION -> position = in.readLong();
            case TokenLayout.TIMESTAMP -> timestamp = in.readLong();
            case TokenLayout.INPUTS -> hasInputs = layout.inputs.read(in, limit, sink);
            case TokenLayout.VALUES -> values = vectors.read(in, limit);
            default -> GenericDatumReader.skip(layout.schemas[field], in);
        }
    }

    private String readNullableString(int nullIndex, int limit) throws IOException {
        return BoundedReader.readBranch(in, 2) == nullIndex ? null : text.readText(in, limit);
    }
}
