// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.api.Token;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.Preconditions;

/**
 * Creates the tokens of one stream, in order. Positions count up, and timestamps advance by a fixed
 * step.
 *
 * <pre>{@code
 * List<Token> hundred = TestTokens.of("card-1", 100, 4);
 *
 * TestTokens card = TestTokens.stream("card-2").timestamp(60_000).every(Duration.ofMillis(10));
 * Token first = card.next(1, 0, 0, 0);
 * Token second = card.next(0, 1, 0, 0);
 * }</pre>
 */
@PublicEvolving
public final class TestTokens {

    private final String stream;
    private Random random;
    private long position;
    private long timestamp;
    private long stepMillis = 1_000;

    private TestTokens(String stream) {
        this.stream = stream;
        this.random = new Random(stream.hashCode());
    }

    /** Starts a stream at position 0 and timestamp 0, with a step of one second. */
    public static TestTokens stream(String name) {
        return new TestTokens(name);
    }

    /**
     * Creates tokens with random values: positions 0, 1, 2 …, timestamps 0 s, 1 s, 2 s … The values
     * depend only on the name of the stream.
     */
    public static List<Token> of(String stream, int count, int width) {
        return stream(stream).random(count, width);
    }

    /** Sets the position of the next token. */
    public TestTokens position(long next) {
        this.position = next;
        return this;
    }

    /** Sets the timestamp of the next token, milliseconds since the epoch. */
    public TestTokens timestamp(long next) {
        this.timestamp = next;
        return this;
    }

    /** Sets the time between two tokens. */
    public TestTokens every(Duration step) {
        this.stepMillis = step.toMillis();
        return this;
    }

    /** Sets the seed of random values. The default is the hash code of the stream's name. */
    public TestTokens seed(long seed) {
        this.random = new Random(seed);
        return this;
    }

    /** Creates the next token, with these values. */
    public Token next(float... values) {
        Token token = new Token(stream, position, timestamp, values);
        position++;
        timestamp += stepMillis;
        return token;
    }

    /** Creates the next tokens, with values from a standard normal distribution. */
    public List<Token> random(int count, int width) {
        Preconditions.checkArgument(width > 0, "width is %s; allowed: 1 or more", width);
        List<Token> tokens = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            float[] values = new float[width];
            for (int j = 0; j < width; j++) {
                values[j] = (float) random.nextGaussian();
            }
            tokens.add(next(values));
        }
        return tokens;
    }

    /**
     * Returns a source of these tokens. It emits a watermark after each token with a new highest
     * timestamp.
     *
     * @param tokens in order of arrival
     */
    public static DataStream<Token> source(StreamExecutionEnvironment env, List<Token> tokens) {
        return env.fromData(tokens, Token.TYPE)
                .setParallelism(1)
                .assignTimestampsAndWatermarks(
                        WatermarkStrategy.<Token>forGenerator(context -> new EveryToken())
                                .withTimestampAssigner((token, at) -> token.timestamp()))
                .setParallelism(1);
    }
}
