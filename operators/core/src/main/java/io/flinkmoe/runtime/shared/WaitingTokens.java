// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.serialization.Wire;
import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * What {@link LaneProgress} needs to know of the T tokens of a batch. Streams are hashes, so that a
 * waiting token takes the same memory however long the name of its stream is. If two streams of a
 * lane had equal hashes, which are of 64 bits, a token would only wait longer than it must.
 *
 * @param streams [T], {@link #hash} of the stream
 * @param timestamps [T], event time, milliseconds since the epoch
 * @param late [T], whether the token is late; empty if no token is
 * @param k choices per token
 * @param pending [T], the choices of the token that have no result yet
 */
@Internal
public record WaitingTokens(
        long[] streams, long[] timestamps, boolean[] late, int k, int[] pending) {

    /** The tokens of a batch that has left, but an earlier batch of its lane has not. */
    public static final WaitingTokens NONE =
            new WaitingTokens(new long[0], new long[0], new boolean[0], 1, new int[0]);

    /** Returns the tokens of a block. */
    public static WaitingTokens of(RoutedBlock block) {
        String[] streams = block.tokens().streams();
        long[] hashes = new long[streams.length];
        for (int row = 0; row < hashes.length; row++) {
            hashes[row] = hash(streams[row]);
        }
        int k = block.choices().k();
        int[] pending = new int[hashes.length];
        byte[] outcomes = block.choices().outcomes();
        for (int choice = 0; choice < outcomes.length; choice++) {
            if (outcomes[choice] == Choices.PENDING) {
                pending[choice / k]++;
            }
        }
        return new WaitingTokens(
                hashes, block.tokens().timestamps(), block.tokens().late(), k, pending);
    }

    /** T. */
    public int rows() {
        return timestamps.length;
    }

    /** A hash of 64 bits: equal names of a lane's streams have equal 32-bit hashes too often. */
    static long hash(String stream) {
        long hash = stream.length();
        for (int i = 0; i < stream.length(); i++) {
            hash = (hash ^ stream.charAt(i)) * 0x9E3779B97F4A7C15L;
            hash ^= hash >>> 29;
        }
        return hash;
    }

    /** Writes the record. */
    public void write(DataOutputView out) throws IOException {
        Wire.writeLongs(streams, out);
        Wire.writeLongs(timestamps, out);
        Wire.writeBooleans(late, out);
        out.writeInt(k);
        Wire.writeInts(pending, out);
    }

    /** Reads what {@link #write} has written. */
    public static WaitingTokens read(DataInputView in) throws IOException {
        return new WaitingTokens(
                Wire.readLongs(in),
                Wire.readLongs(in),
                Wire.readBooleans(in),
                in.readInt(),
                Wire.readInts(in));
    }
}
