// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.capacity;

import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.Outcome;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLongArray;
import org.apache.commons.math3.stat.descriptive.rank.Percentile;
import org.apache.commons.math3.stat.descriptive.rank.Percentile.EstimationType;
import org.apache.flink.annotation.Internal;

/**
 * One pass of known tokens through a job in this process, from {@link ReplaySource} to {@link
 * ReplaySink}. It records when each token was due, when its answer arrived, and the answers. The
 * tokens are sent in laps. Each lap is later in event time, so that its windows contain the same
 * tokens.
 */
@Internal
final class Replay {

    /** The first 1/5 of the tokens is not counted, because the job is starting. */
    private static final int UNCOUNTED_PART = 5;

    private static volatile Replay current;

    private final List<Token> tokens;
    private final long lapMillis;
    private final double steadyRate;
    private final long[] due;
    private final long[] arrived;
    private final float[] scores;
    private final AtomicInteger arrivals = new AtomicInteger();
    private final AtomicLongArray outcomes = new AtomicLongArray(Outcome.values().length);

    /**
     * @param tokens T tokens of a lap, ascending in time
     * @param window the window in milliseconds; a lap is a multiple of it
     * @param count the number of tokens in the pass
     * @param steadyRate tokens per second; 0 for full speed
     */
    Replay(List<Token> tokens, long window, int count, double steadyRate) {
        this.tokens = tokens;
        this.steadyRate = steadyRate;
        long first = tokens.get(0).timestamp() / window;
        long last = tokens.get(tokens.size() - 1).timestamp() / window;
        lapMillis = (last - first + 1) * window;
        due = new long[count];
        arrived = new long[count];
        scores = new float[tokens.size()];
    }

    /** Sets the pass that source and sink use. Only one pass can run at a time. */
    static void begin(Replay replay) {
        current = replay;
    }

    static Replay current() {
        return current;
    }

    int count() {
        return due.length;
    }

    /** The tokens per second that the source emits; 0 for full speed. */
    double steadyRate() {
        return steadyRate;
    }

    /** The token with a given number, which is also its position. */
    Token token(int number) {
        Token token = tokens.get(number % tokens.size());
        long timestamp = token.timestamp() + number / tokens.size() * lapMillis;
        return new Token(token.stream(), number, timestamp, token.values());
    }

    void due(int number, long nanos) {
        due[number] = nanos;
    }

    void arrived(ScoredToken answer) {
        int number = (int) answer.position();
        arrived[number] = System.nanoTime();
        scores[number % scores.length] = answer.values()[0];
        for (Outcome outcome : answer.layers()[0].outcomes()) {
            outcomes.incrementAndGet(outcome.ordinal());
        }
        arrivals.incrementAndGet();
    }

    /**
     * Checks that every token has an answer.
     *
     * @throws IllegalStateException if an answer is missing, or a choice was late or failed
     */
    void requireComplete() {
        long lost = outcomes.get(Outcome.LATE.ordinal()) + outcomes.get(Outcome.FAILED.ordinal());
        if (arrivals.get() != count() || lost > 0) {
            throw new IllegalStateException(
                    "%,d of %,d tokens have an answer; %,d choices were late or failed"
                            .formatted(arrivals.get(), count(), lost));
        }
    }

    /** T values: the first value of each token's answer. */
    float[] scores() {
        return scores.clone();
    }

    /** The share of all choices with an outcome, from 0 to 1. */
    double share(Outcome outcome) {
        long sum = 0;
        for (int i = 0; i < outcomes.length(); i++) {
            sum += outcomes.get(i);
        }
        return (double) outcomes.get(outcome.ordinal()) / sum;
    }

    /** The tokens per second at which answers arrived. */
    double rate() {
        long[] sorted = arrived.clone();
        Arrays.sort(sorted);
        int from = count() / UNCOUNTED_PART;
        return (count() - 1 - from) * 1e9 / (sorted[count() - 1] - sorted[from]);
    }

    /**
     * The latency in milliseconds that a share of the tokens does not exceed. It starts when a
     * token is due.
     */
    double latency(double share) {
        int from = count() / UNCOUNTED_PART;
        double[] nanos = new double[count() - from];
        for (int i = 0; i < nanos.length; i++) {
            nanos[i] = arrived[from + i] - due[from + i];
        }
        Percentile nearestRank = new Percentile().withEstimationType(EstimationType.R_1);
        return nearestRank.evaluate(nanos, 100 * share) / 1e6;
    }
}
