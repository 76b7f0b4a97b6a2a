// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import org.apache.flink.annotation.Experimental;

/**
 * A choice that an expert may admit, with all that the {@link AdmissionOrder} compares.
 *
 * @param index the place of the choice in the arrays of the caller
 * @param rank 0 for a token's first choice, to k-1
 * @param topScore the score of the token's first choice
 * @param score the score of the choice with this expert
 * @param timestamp event time of the token, milliseconds since the epoch
 * @param stream the token's stream
 * @param position the token's place in its stream
 * @param batch the batch of the token: it orders a token that came twice
 * @param choice the number of the choice in its batch
 */
@Experimental
public record Candidate(
        int index,
        int rank,
        float topScore,
        float score,
        long timestamp,
        String stream,
        long position,
        long batch,
        int choice) {

    /** The same with another score. */
    public Candidate withScore(float other) {
        return new Candidate(
                index, rank, topScore, other, timestamp, stream, position, batch, choice);
    }

    /** The order of the tokens: timestamp, stream, position; then batch and choice. */
    int compareToken(Candidate other) {
        int order = Long.compare(timestamp, other.timestamp);
        if (order == 0) {
            order = stream.compareTo(other.stream);
        }
        if (order == 0) {
            order = Long.compare(position, other.position);
        }
        if (order == 0) {
            order = Long.compare(batch, other.batch);
        }
        return order == 0 ? Integer.compare(choice, other.choice) : order;
    }
}
