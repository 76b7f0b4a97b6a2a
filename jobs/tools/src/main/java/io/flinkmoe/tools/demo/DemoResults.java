// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.schemas.Choice;
import io.flinkmoe.schemas.Outcome;
import io.flinkmoe.schemas.ScoredToken;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.apache.flink.annotation.Internal;

/** The results of T tokens, by position. One thread writes them, except for {@link #produced}. */
@Internal
public final class DemoResults {

    private final int[] times;
    private final List<String> outputs;
    private final float[][] probabilities;
    private final int[][] experts;
    private final float[][] weights;
    private final float[][] gateWeights;
    private final Outcome[][] outcomes;
    private final long[] producedAt;
    private final long[] scoredAt;
    private final long[] committedAt;
    private int distinct;
    private int unknown;
    private int deadLetters;

    /** The results of a model that answers with one probability. */
    public DemoResults(int tokens) {
        this(tokens, List.of("probability"));
    }

    /**
     * @param outputs the names of the probabilities that the model answers with
     */
    DemoResults(int tokens, List<String> outputs) {
        this.outputs = outputs;
        times = new int[tokens];
        probabilities = new float[outputs.size()][tokens];
        experts = new int[tokens][];
        weights = new float[tokens][];
        gateWeights = new float[tokens][];
        outcomes = new Outcome[tokens][];
        producedAt = new long[tokens];
        scoredAt = new long[tokens];
        committedAt = new long[tokens];
    }

    /**
     * Records that a token arrived in Kafka at the time {@code at} of the broker's clock. The
     * producer calls this.
     */
    void produced(int position, long at) {
        producedAt[position] = at;
    }

    /**
     * Records an answer.
     *
     * @param at when the broker received it
     * @param now when a read_committed reader received it
     */
    void scored(ScoredToken answer, long at, long now) {
        if (answer.getPosition() < 0 || answer.getPosition() >= times.length) {
            unknown++;
            return;
        }
        int position = (int) answer.getPosition();
        if (times[position]++ > 0) {
            return;
        }
        distinct++;
        for (int task = 0; task < probabilities.length; task++) {
            probabilities[task][position] = probability(answer, task);
        }
        List<Choice> choices = answer.getLayers().get(0).getChoices();
        experts[position] = choices.stream().mapToInt(Choice::getExpert).toArray();
        weights[position] = new float[choices.size()];
        for (int rank = 0; rank < choices.size(); rank++) {
            weights[position][rank] = choices.get(rank).getWeight();
        }
        gateWeights[position] = gateWeights(choices);
        outcomes[position] = choices.stream().map(Choice::getOutcome).toArray(Outcome[]::new);
        scoredAt[position] = at;
        committedAt[position] = now;
    }

    /** A named output, or an element of the vector of a model that has none. */
    private float probability(ScoredToken answer, int task) {
        if (answer.getOutputs() != null) {
            return (Float) answer.getOutputs().get(outputs.get(task));
        }
        return answer.getValues() == null ? Float.NaN : answer.getValues().get(task);
    }

    private static float[] gateWeights(List<Choice> choices) {
        int gates = choices.isEmpty() ? 0 : choices.get(0).getGateWeights().size();
        float[] all = new float[gates * choices.size()];
        for (int i = 0; i < all.length; i++) {
            all[i] = choices.get(i % choices.size()).getGateWeights().get(i / choices.size());
        }
        return all;
    }

    void deadLetter() {
        deadLetters++;
    }

    /** The number of tokens, T. */
    int tokens() {
        return times.length;
    }

    /** The number of tokens with an answer. */
    int distinct() {
        return distinct;
    }

    public int missing() {
        return times.length - distinct;
    }

    /** The number of surplus answers: to a token that already has one, or to an unknown token. */
    public int surplus() {
        int sum = unknown;
        for (int n : times) {
            sum += Math.max(0, n - 1);
        }
        return sum;
    }

    int deadLetters() {
        return deadLetters;
    }

    public boolean isComplete() {
        return distinct + deadLetters >= times.length;
    }

    boolean isScored(int position) {
        return times[position] > 0;
    }

    /**
     * Whether the answer has an output: else no choice of a layer without residual was executed.
     */
    boolean hasOutput(int position) {
        return isScored(position) && !Float.isNaN(probabilities[0][position]);
    }

    /** The first of a token's probabilities; NaN without an output. */
    public float probability(int position) {
        return probability(0, position);
    }

    /** The probability of a task; NaN for a token without an output. */
    float probability(int task, int position) {
        return probabilities[task][position];
    }

    /** The choices that an expert executed, of all answers. */
    long executedChoices() {
        return Arrays.stream(outcomes)
                .filter(Objects::nonNull)
                .flatMap(Arrays::stream)
                .filter(outcome -> outcome == Outcome.EXECUTED || outcome == Outcome.REROUTED)
                .count();
    }

    /** The k experts of a token, in order of rank. Weights and outcomes have the same order. */
    int[] experts(int position) {
        return experts[position];
    }

    float[] weights(int position) {
        return weights[position];
    }

    /** The weights of each of several gates, [G, k]; empty with one gate. */
    float[] gateWeights(int position) {
        return gateWeights[position];
    }

    Outcome[] outcomes(int position) {
        return outcomes[position];
    }

    long producedAt(int position) {
        return producedAt[position];
    }

    long scoredAt(int position) {
        return scoredAt[position];
    }

    long committedAt(int position) {
        return committedAt[position];
    }
}
