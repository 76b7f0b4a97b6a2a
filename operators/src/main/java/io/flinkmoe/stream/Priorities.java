package io.flinkmoe.stream;

import java.io.IOException;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * What an admission order goes by, for R dispatched rows: it travels with them only if admission is
 * prioritized.
 *
 * @param streams [R], the token's stream
 * @param positions [R], its place there
 * @param topScores [R], the score of the token's first choice
 * @param scores [R], the score of this choice, neither normalised nor scaled
 */
public record Priorities(String[] streams, long[] positions, float[] topScores, float[] scores) {

    /** Of rows that are admitted first come, first served. */
    static final Priorities NONE = ofRows(0);

    /** Room for R rows. */
    static Priorities ofRows(int rows) {
        return new Priorities(new String[rows], new long[rows], new float[rows], new float[rows]);
    }

    void set(int row, String stream, long position, float topScore, float score) {
        streams[row] = stream;
        positions[row] = position;
        topScores[row] = topScore;
        scores[row] = score;
    }

    /** Those of some rows only. */
    Priorities select(int[] rows) {
        Priorities selected = ofRows(rows.length);
        for (int i = 0; i < rows.length; i++) {
            int row = rows[i];
            selected.set(i, streams[row], positions[row], topScores[row], scores[row]);
        }
        return selected;
    }

    void write(DataOutputView out) throws IOException {
        Wire.writeStrings(streams, out);
        Wire.writeLongs(positions, out);
        Wire.writeFloats(topScores, out);
        Wire.writeFloats(scores, out);
    }

    static Priorities read(DataInputView in) throws IOException {
        return new Priorities(
                Wire.readStrings(in), Wire.readLongs(in), Wire.readFloats(in), Wire.readFloats(in));
    }
}
