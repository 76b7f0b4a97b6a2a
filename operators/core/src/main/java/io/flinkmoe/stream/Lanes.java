package io.flinkmoe.stream;

import org.apache.flink.util.MathUtils;

/** Which lane a stream is in: a function of its name alone. */
final class Lanes {

    private Lanes() {}

    static int of(String stream, int lanes) {
        return MathUtils.murmurHash(stream.hashCode()) % lanes;
    }
}
