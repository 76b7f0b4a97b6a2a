// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LanesTest {

    /**
     * Computed apart from this code: murmur3 of {@code String.hashCode}, made positive. A savepoint
     * holds each stream's state under its lane, so none of these may ever change.
     */
    @ParameterizedTest
    @CsvSource({
        "'', 14, 54",
        "s, 2, 410",
        "stream-1, 9, 361",
        "card 4711, 11, 827",
        "Zürich, 9, 977",
        "流, 4, 292",
        "поток, 3, 11",
        "\uD83D\uDE80, 5, 709", // A rocket: two chars.
        "polygenelubricants, 12, 732" // Its hash is Integer.MIN_VALUE.
    })
    void laneOfAStreamNeverChanges(String stream, int of16, int of1000) {
        assertThat(Lanes.of(stream, 16)).isEqualTo(of16);
        assertThat(Lanes.of(stream, 1000)).isEqualTo(of1000);
        assertThat(Lanes.of(stream, 1)).isZero();
    }
}
