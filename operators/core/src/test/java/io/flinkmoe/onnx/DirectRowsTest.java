// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class DirectRowsTest {

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
