package io.flinkmoe.stream;

/**
 * What the model answered for one token.
 *
 * @param stream the token's stream
 * @param position the token's place in its stream
 * @param timestamp the token's event time, milliseconds since the epoch
 * @param values the head's output, or the last layer's where the model has no head
 * @param modelVersion the version of the bundle that answered
 * @param layers where the token went, an entry per MoE layer
 */
public record ScoredToken(
        String stream,
        long position,
        long timestamp,
        float[] values,
        String modelVersion,
        Decision[] layers) {}
