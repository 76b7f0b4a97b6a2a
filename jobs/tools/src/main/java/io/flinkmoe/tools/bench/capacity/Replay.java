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
 * ReplaySink}: when each was due, when its answer arrived, and what the answers say. The tokens
 * come lap after lap, each lap later in event time, so that its windows hold the same.
 */
@Internal
final class Replay {

    /** Of the tokens, not counted: 1 in so many, while the job starts. */
    private static final int START = 5;

    private static volatile Replay current;

    private final List<Token> tokens;
    private final long lapMillis;
    private final double pace;
    private final long[] due;
    private final long[] arrived;
    private final float[] scores;
    private final AtomicInteger arrivals = new AtomicInteger();
    private final AtomicLongArray outcomes = new AtomicLongArray(Outcome.values().length);

    /**
     * @param tokens T tokens of a lap, ascending in time
     * @param window milliseconds, that laps are whole multiples of
     * @param count tokens of the pass
     * @param pace tokens per second; 0 for full speed
     */
    Replay(List<Token> tokens, long window, int count, double pace) {
        this.tokens = tokens;
        this.pace = pace;
        long first = tokens.get(0).timestamp() / window;
        long last = tokens.get(tokens.size() - 1).timestamp() / window;
        lapMillis = (last - first + 1) * window;
        due = new long[count];
        arrived = new long[count];
        scores = new float[tokens.size()];
    }

    /** The pass that source and sink take part in, one at a time. */
    static void begin(Replay replay) {
        current = replay;
    }

    static Replay current() {
        return current;
    }

    int count() {
        return due.length;
    }

    /** Tokens per second that the source gives; 0 for as many as are taken. */
    double pace() {
        return pace;
    }

    /** The token of a number, whose position it is. */
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
     * Checks that the answers are whole.
     *
     * @throws IllegalStateException if one is missing, or a choice was late or failed
     */
    void requireWhole() {
        long lost = outcomes.get(Outcome.LATE.ordinal()) + outcomes.get(Outcome.FAILED.ordinal());
        if (arrivals.get() != count() || lost > 0) {
            throw new IllegalStateException(
                    "of %,d tokens %,d were answered, with %,d choices late or failed"
                            .formatted(count(), arrivals.get(), lost));
        }
    }

    /** T values: the first of each token's answer. */
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

    /** Tokens per second, as their answers arrived. */
    double rate() {
        long[] sorted = arrived.clone();
        Arrays.sort(sorted);
        int from = count() / START;
        return (count() - 1 - from) * 1e9 / (sorted[count() - 1] - sorted[from]);
    }

    /** Milliseconds from due to answered that a share of the tokens takes at most. */
    double latency(double share) {
        int from = count() / START;
        double[] nanos = new double[count() - from];
        for (int i = 0; i < nanos.length; i++) {
            nanos[i] = arrived[from + i] - due[from + i];
        }
        Percentile nearestRank = new Percentile().withEstimationType(EstimationType.R_1);
        return nearestRank.evaluate(nanos, 100 * share) / 1e6;
    }
}
