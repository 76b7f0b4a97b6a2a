package io.flinkmoe.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class DirectRowsTest {

    @Test
    void saysOfEachRowWhetherItIsFinite() {
        DirectRows rows = new DirectRows(3, 2);
        rows.put(new float[] {1, Float.NaN, 2, 3, Float.NEGATIVE_INFINITY, 4}, 0, 3);
        assertThat(rows.isFinite(0)).isFalse();
        assertThat(rows.isFinite(1)).isTrue();
        assertThat(rows.isFinite(2)).isFalse();
    }

    @Test
    void copiesRowsBetweenFloatsAndBytes() {
        DirectRows rows = new DirectRows(2, 2);
        rows.put(new float[] {9, 9, 1, 2, 3, 4}, 1, 2);
        byte[] bytes = new byte[16];
        rows.get(1, bytes, 0, 1);
        rows.put(bytes, 0, 0, 1);
        float[] values = new float[4];
        rows.get(values, 0, 2);
        assertThat(values).containsExactly(3, 4, 3, 4);
    }
}
