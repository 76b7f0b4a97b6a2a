// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.block;

import io.flinkmoe.serialization.Wire;
import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * The data of R dispatched rows for admission at the close of a window: the values by which rows
 * are ordered, and the experts of all A attempts. Blocks carry it only if some round decides at the
 * close of a window.
 *
 * @param streams [R], the stream of the token
 * @param positions [R], the position of the token in its stream
 * @param ranks [R], the rank of the choice; empty with one gate, where it follows from the choice
 * @param topScores [R], the score by which the token is visited
 * @param scores [R, A], the score of the expert of each attempt, neither normalized nor scaled
 * @param nextExperts [R, A-1], the experts of the attempts after the first; -1 if there is none
 */
@Internal
public record Priorities(
        String[] streams,
        long[] positions,
        int[] ranks,
        float[] topScores,
        float[] scores,
        int[] nextExperts) {

    /** For rows that are admitted on arrival and are never rerouted. */
    public static final Priorities NONE = ofRows(0, 1, false);

    /**
     * Allocates the arrays for R rows and A attempts.
     *
     * @param withRanks whether the layer has several gates
     */
    public static Priorities ofRows(int rows, int attempts, boolean withRanks) {
        return new Priorities(
                new String[rows],
                new long[rows],
                new int[withRanks ? rows : 0],
                new float[rows],
                new float[rows * attempts],
                new int[rows * (attempts - 1)]);
    }

    /** A, the number of attempts; 1 if there are no rows. */
    int attempts() {
        return streams.length == 0 ? 1 : scores.length / streams.length;
    }

    /** The rank of a row's choice among the k of its token. */
    int rank(int row, int choice, int topK) {
        return ranks.length == 0 ? choice % topK : ranks[row];
    }

    /** The score of a row in an attempt. */
    public float score(int row, int attempt) {
        return scores[row * attempts() + attempt];
    }

    /** The expert that a row tries after an attempt; -1 if there is none. */
    public int next(int row, int attempt) {
        int further = attempts() - 1;
        return attempt < further ? nextExperts[row * further + attempt] : -1;
    }

    /** Returns the data of some rows. */
    Priorities select(int[] rows) {
        int attempts = attempts();
        int further = attempts - 1;
        Priorities selected = ofRows(rows.length, attempts, ranks.length > 0);
        for (int i = 0; i < rows.length; i++) {
            int row = rows[i];
            selected.streams[i] = streams[row];
            selected.positions[i] = positions[row];
            if (ranks.length > 0) {
                selected.ranks[i] = ranks[row];
            }
            selected.topScores[i] = topScores[row];
            System.arraycopy(scores, row * attempts, selected.scores, i * attempts, attempts);
            System.arraycopy(
                    nextExperts, row * further, selected.nextExperts, i * further, further);
        }
        return selected;
    }

    void write(DataOutputView out) throws IOException {
        Wire.writeStrings(streams, out);
        Wire.writeLongs(positions, out);
        Wire.writeInts(ranks, out);
        Wire.writeFloats(topScores, out);
        Wire.writeFloats(scores, out);
        Wire.writeInts(nextExperts, out);
    }

    static Priorities read(DataInputView in) throws IOException {
        return new Priorities(
                Wire.readStrings(in),
                Wire.readLongs(in),
                Wire.readInts(in),
                Wire.readFloats(in),
                Wire.readFloats(in),
                Wire.readInts(in));
    }
}
