// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.block;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.tensor.Floats;
import java.util.stream.Stream;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class VectorsTest {

    private static final int D = 2;

    /** [5, 2]: each row's values are its number. */
    private static byte[] matrix() {
        return Floats.toBytes(new float[] {0, 0, 1, 1, 2, 2, 3, 3, 4, 4});
    }

    /** Four vectors: 1, 3, 3 and 4. */
    private static Stream<Vectors> both() {
        Vectors borrowed = Vectors.borrow(matrix(), new int[] {1, 3, 3, 4}, D);
        return Stream.of(borrowed, Vectors.of(borrowed.toBytes()));
    }

    @ParameterizedTest
    @MethodSource("both")
    void areTheRowsThatWereNamed(Vectors vectors) throws Exception {
        assertThat(floats(vectors)).containsExactly(1, 1, 3, 3, 3, 3, 4, 4);
        assertThat(floats(vectors.owned())).containsExactly(1, 1, 3, 3, 3, 3, 4, 4);
        assertThat(floats(sent(vectors))).containsExactly(1, 1, 3, 3, 3, 3, 4, 4);
        float[] one = new float[D];
        vectors.get(3, one);
        assertThat(one).containsExactly(4, 4);
    }

    @ParameterizedTest
    @MethodSource("both")
    void areCopiedInSlices(Vectors vectors) {
        assertThat(floats(vectors.slice(1, 3, 4))).containsExactly(3, 3, 3, 3);
        assertThat(floats(vectors.slice(0, 4, 4))).containsExactly(1, 1, 3, 3, 3, 3, 4, 4);
        DirectRows rows = new DirectRows(5, D);
        vectors.copyTo(rows, 0, 2, 2);
        vectors.copyTo(rows, 2, 0, 3);
        float[] copied = new float[5 * D];
        rows.get(copied, 0, 5);
        assertThat(copied).containsExactly(3, 3, 4, 4, 1, 1, 3, 3, 3, 3);
    }

    @Test
    void serializersCopyWhatIsBorrowed() {
        byte[] matrix = matrix();
        Vectors borrowed = Vectors.borrow(matrix, new int[] {1, 2}, D);
        ExpertRows rows = new ExpertRows(0, 0, 0, new int[2], borrowed);
        ContributionBlock answer = new ContributionBlock(0, 0, new int[2], new byte[2], borrowed);
        ExpertRows copy = new ExpertRows.Serializer().copy(rows);
        ContributionBlock answerCopy = new ContributionBlock.Serializer().copy(answer);

        Floats.put(new float[] {9, 9, 9, 9, 9, 9}, 0, matrix, 0, 6);

        assertThat(floats(borrowed)).containsExactly(9, 9, 9, 9);
        assertThat(floats(copy.vectors())).containsExactly(1, 1, 2, 2);
        assertThat(floats(answerCopy.vectors())).containsExactly(1, 1, 2, 2);
    }

    private static float[] floats(Vectors vectors) {
        return Floats.toFloats(vectors.toBytes());
    }

    private static Vectors sent(Vectors vectors) throws Exception {
        DataOutputSerializer out = new DataOutputSerializer(16);
        vectors.write(out);
        DataInputDeserializer in = new DataInputDeserializer(out.getCopyOfBuffer());
        Vectors read = Vectors.read(in);
        assertThat(in.available()).isZero();
        return read;
    }
}
