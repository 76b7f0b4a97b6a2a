// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.apache.flink.annotation.Internal;

/** Creates inputs from valid ones. An input depends only on the seed and its number. */
@Internal
final class Mutator {

    private static final int MAX_LENGTH = 1 << 16;

    private static final String[] WORDS = {
        "null",
        "true",
        "[]",
        "{}",
        "\"\"",
        "[[[[",
        "{\"a\":",
        "\"/etc/passwd\"",
        "\"../../../etc/passwd\"",
        "\"\\ud800\"",
        "\"\\u0000\"",
        "\"é✈\"",
        "-1",
        "0",
        "1.5",
        "1e400",
        "1e-400",
        "-0.0",
        "NaN",
        "2147483647",
        "2147483648",
        "1152921504606846976",
        "9223372036854775807",
        "9".repeat(400),
        "9".repeat(2000),
        "[".repeat(3000),
        "{\"a\":".repeat(1500)
    };

    private final long seed;
    private final List<byte[]> samples;
    private final boolean protobuf;

    Mutator(long seed, List<byte[]> samples, boolean protobuf) {
        this.seed = seed;
        this.samples = samples;
        this.protobuf = protobuf;
    }

    byte[] input(long number) {
        SplittableRandom random = new SplittableRandom(seed * 0x9E3779B97F4A7C15L + number);
        if (random.nextInt(20) == 0) {
            return FuzzBytes.randomBytes(random, random.nextInt(300));
        }
        byte[] input = sample(random);
        for (int i = random.nextInt(4); i >= 0; i--) {
            input =
                    protobuf && random.nextInt(4) != 0
                            ? ProtoMutator.mutate(input, random)
                            : mutate(input, random);
        }
        return input.length > MAX_LENGTH ? Arrays.copyOf(input, MAX_LENGTH) : input;
    }

    private byte[] sample(SplittableRandom random) {
        return samples.get(random.nextInt(samples.size()));
    }

    private byte[] mutate(byte[] in, SplittableRandom random) {
        int at = random.nextInt(in.length + 1);
        int end = at + random.nextInt(in.length + 1 - at);
        return switch (random.nextInt(12)) {
            case 0 -> flipped(in, random);
            case 1 -> overwritten(in, at, FuzzBytes.randomBytes(random, 1 + random.nextInt(4)));
            case 2 -> overwritten(in, at, new byte[] {(byte) (random.nextBoolean() ? 0xFF : 0)});
            case 3 -> overwritten(in, at, number(random));
            case 4 -> Arrays.copyOf(in, at);
            case 5 -> spliced(in, at, in, end);
            case 6 -> inserted(in, at, Arrays.copyOfRange(in, at, end));
            case 7 -> inserted(in, at, word(random));
            case 8 ->
                    inserted(
                            in,
                            at,
                            FuzzBytes.varint(
                                    FuzzBytes.NUMBERS[random.nextInt(FuzzBytes.NUMBERS.length)]));
            case 9 -> inserted(in, at, FuzzBytes.randomBytes(random, random.nextInt(64)));
            case 10 -> {
                byte[] other = sample(random);
                yield spliced(in, at, other, random.nextInt(other.length + 1));
            }
            default -> withJsonValue(in, at, word(random));
        };
    }

    private static byte[] flipped(byte[] in, SplittableRandom random) {
        byte[] out = in.clone();
        for (int i = random.nextInt(8); i >= 0 && out.length > 0; i--) {
            out[random.nextInt(out.length)] ^= (byte) (1 << random.nextInt(8));
        }
        return out;
    }

    private static byte[] overwritten(byte[] in, int at, byte[] by) {
        byte[] out = in.clone();
        System.arraycopy(by, 0, out, at, Math.min(by.length, out.length - at));
        return out;
    }

    private static byte[] inserted(byte[] in, int at, byte[] what) {
        ByteBuffer out = ByteBuffer.allocate(in.length + what.length);
        return out.put(in, 0, at).put(what).put(in, at, in.length - at).array();
    }

    /** The beginning of one array and the end of another. */
    private static byte[] spliced(byte[] begin, int to, byte[] end, int from) {
        ByteBuffer out = ByteBuffer.allocate(to + end.length - from);
        return out.put(begin, 0, to).put(end, from, end.length - from).array();
    }

    /** Replaces the value after the first colon from a position on. */
    private static byte[] withJsonValue(byte[] in, int at, byte[] value) {
        int from = at;
        while (from < in.length && in[from] != ':') {
            from++;
        }
        int to = from;
        while (to < in.length && in[to] != ',' && in[to] != '}' && in[to] != '\n') {
            to++;
        }
        return from == in.length
                ? inserted(in, at, value)
                : inserted(spliced(in, from + 1, in, to), from + 1, value);
    }

    private static byte[] word(SplittableRandom random) {
        return WORDS[random.nextInt(WORDS.length)].getBytes(StandardCharsets.UTF_8);
    }

    /** One of the numbers in 1, 2, 4 or 8 bytes, in either byte order. */
    private static byte[] number(SplittableRandom random) {
        int bytes = 1 << random.nextInt(4);
        long number = FuzzBytes.NUMBERS[random.nextInt(FuzzBytes.NUMBERS.length)];
        ByteBuffer all = ByteBuffer.allocate(8);
        if (random.nextBoolean()) {
            all.order(ByteOrder.LITTLE_ENDIAN).putLong(number);
            return Arrays.copyOf(all.array(), bytes);
        }
        all.putLong(number);
        return Arrays.copyOfRange(all.array(), 8 - bytes, 8);
    }
}
