// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.chart;

import org.apache.flink.annotation.Internal;

/** Colours that can be distinguished with red-green colour blindness and in greyscale. */
@Internal
final class Palette {

    /** The colours of baselines and of cells without a value. */
    static final String MUTED = "#9ca3af";

    static final String NO_VALUE = "#eceef1";

    /** Paul Tol's "bright" scheme, reordered. */
    private static final String[] SERIES = {
        "#4477aa", "#ee7733", "#228833", "#aa3377", "#66ccee", "#ccbb44", "#777777"
    };

    /** From light to dark, each darker than the one before: sand, teal, night blue. */
    private static final int[] SCALE = {
        0xf6f4ec, 0xd5e4d5, 0xa2cdc6, 0x66aab8, 0x3d7fa6, 0x2a5387, 0x1b2a56
    };

    private Palette() {}

    static String series(int index) {
        return SERIES[index % SERIES.length];
    }

    /**
     * The colour of a value in a heat map.
     *
     * @param share the position of the value in its scale, 0 to 1; other values are clamped
     */
    static String scale(double share) {
        double place = Math.max(0, Math.min(1, share)) * (SCALE.length - 1);
        int lower = Math.min((int) place, SCALE.length - 2);
        double part = place - lower;
        int colour = 0;
        for (int shift = 16; shift >= 0; shift -= 8) {
            int from = SCALE[lower] >> shift & 0xff;
            int to = SCALE[lower + 1] >> shift & 0xff;
            colour |= (int) Math.round(from + part * (to - from)) << shift;
        }
        return "#%06x".formatted(colour);
    }
}
