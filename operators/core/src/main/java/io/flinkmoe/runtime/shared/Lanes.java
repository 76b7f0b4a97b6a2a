package io.flinkmoe.runtime.shared;

import org.apache.flink.annotation.Internal;
import org.apache.flink.util.MathUtils;

/** Which lane a stream is in: a function of its name alone. */
@Internal
public final class Lanes {

    private Lanes() {}

    public static int of(String stream, int lanes) {
        return MathUtils.murmurHash(stream.hashCode()) % lanes;
    }
}
