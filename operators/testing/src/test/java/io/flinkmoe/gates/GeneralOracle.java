// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.gates;

import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.gates.GeneralModel.Expert;
import io.flinkmoe.gates.GeneralModel.Gate;
import io.flinkmoe.gates.GeneralModel.Layer;
import io.flinkmoe.model.Slice;
import io.flinkmoe.routing.ScoringFunc;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a {@link GeneralModel} answers, from its definition: token by token in double, with no code
 * of the operators but the formula of the capacity. No token is late.
 */
final class GeneralOracle {

    private final GeneralModel model;
    private final Capacity capacity;

    /** A rank of a gate for a token. */
    record Ranked(int expert, int rank, double score, double weight) {}

    /** A token at a layer. */
    static final class State {
        final Token token;
        double[] values;
        boolean absent;
        boolean failed;
        final List<List<Ranked>> gates = new ArrayList<>();
        final Map<Integer, Outcome> outcomes = new TreeMap<>(); // by expert
        final List<double[]> weights = new ArrayList<>(); // by gate, then expert

        State(Token token) {
            this.token = token;
            this.values = new double[token.values().length];
            for (int i = 0; i < values.length; i++) {
                values[i] = token.values()[i];
            }
        }
    }

    GeneralOracle(GeneralModel model, Capacity capacity) {
        this.model = model;
        this.capacity = capacity;
    }

    /** Runs the tokens; each layer receives the states after it has decided and combined. */
    List<State> run(List<Token> tokens) {
        List<State> states = tokens.stream().map(State::new).toList();
        for (Layer layer : model.layers) {
            for (State state : states) {
                state.gates.clear();
                state.outcomes.clear();
                state.weights.clear();
                route(layer, state);
            }
            admit(layer, states);
            for (State state : states) {
                combine(layer, state);
            }
        }
        return states;
    }

    private static double[] hidden(Layer layer, State state) {
        return layer.norm() == null ? state.values : layer.norm().times(state.values);
    }

    private static double[] slice(Slice slice, double[] x) {
        return slice == null ? x : Arrays.copyOfRange(x, slice.from(), slice.to());
    }

    private void route(Layer layer, State state) {
        state.failed = state.absent;
        double[] u = hidden(layer, state);
        for (Gate gate : layer.gates()) {
            List<Ranked> ranked = gate.rule() != null ? rule(gate, state.token) : model(gate, u);
            state.failed |= ranked == null;
            state.gates.add(ranked == null ? List.of() : ranked);
        }
        if (state.failed) {
            state.gates.replaceAll(gate -> List.of());
        }
        for (List<Ranked> gate : state.gates) {
            for (Ranked ranked : gate) {
                state.outcomes.put(ranked.expert, Outcome.EXECUTED);
            }
        }
    }

    private static List<Ranked> rule(Gate gate, Token token) {
        int expert = gate.rule().getOrDefault(token.stream(), gate.experts().get(0));
        return List.of(new Ranked(expert, 0, 1, 1));
    }

    /** The ranks of a gate; null if it cannot route the token. */
    private static List<Ranked> model(Gate gate, double[] u) {
        double[] x = gate.router().times(slice(gate.input(), u));
        int n = x.length;
        double[] scores = new double[n];
        boolean[] masked = new boolean[n];
        double sum = 0;
        double max = Arrays.stream(x).max().orElseThrow();
        for (int i = 0; i < n; i++) {
            scores[i] =
                    switch (gate.last()) {
                        case WEIGHTS -> Math.max(0, x[i]);
                        case MASKING -> x[i] > 0 ? Math.exp(x[i] - max) : 0;
                        case LINEAR ->
                                gate.routing().scoringFunc() == ScoringFunc.SIGMOID
                                        ? 1 / (1 + Math.exp(-x[i]))
                                        : Math.exp(x[i] - max);
                    };
            masked[i] = gate.last() != GeneralModel.Last.LINEAR && scores[i] == 0;
            sum += scores[i];
        }
        if (gate.routing().scoringFunc() == ScoringFunc.SOFTMAX) {
            for (int i = 0; i < n; i++) {
                scores[i] /= sum;
            }
        }
        List<Integer> columns = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            if (!masked[i]) {
                columns.add(i);
            }
        }
        if (columns.isEmpty() && gate.last() == GeneralModel.Last.MASKING) {
            return null;
        }
        columns.sort(Comparator.comparing(i -> -scores[i]));
        columns = columns.subList(0, Math.min(columns.size(), gate.routing().k()));
        double norm = columns.stream().mapToDouble(i -> scores[i]).sum();
        Float factor = gate.routing().routedScalingFactor();
        List<Ranked> ranked = new ArrayList<>();
        for (int i : columns) {
            double weight = gate.routing().normTopKProb() ? scores[i] / norm : scores[i];
            weight *= factor == null ? 1 : factor;
            ranked.add(new Ranked(gate.experts().get(i), ranked.size(), scores[i], weight));
        }
        return ranked;
    }

    /** A token that asks an expert. */
    private record Candidate(State state, int rank, double top, double score) {}

    private void admit(Layer layer, List<State> states) {
        if (!capacity.windows().areBounded()) {
            return;
        }
        TreeMap<Long, List<State>> windows = new TreeMap<>();
        for (State state : states) {
            long start = capacity.windows().startOf(state.token.timestamp());
            windows.computeIfAbsent(start, s -> new ArrayList<>()).add(state);
        }
        int n = layer.experts().size();
        int k = 0;
        for (Gate gate : layer.gates()) {
            k += gate.rule() != null ? 1 : gate.routing().k();
        }
        for (List<State> window : windows.values()) {
            int places = capacity.expertCapacity(window.size(), n, Math.min(n, k));
            for (int expert = 0; expert < n; expert++) {
                List<Candidate> candidates = candidates(window, expert);
                candidates.sort(order());
                for (int i = places; i < candidates.size(); i++) {
                    candidates.get(i).state.outcomes.put(expert, Outcome.OVERFLOWED);
                }
            }
        }
    }

    private static List<Candidate> candidates(List<State> window, int expert) {
        List<Candidate> candidates = new ArrayList<>();
        for (State state : window) {
            int rank = Integer.MAX_VALUE;
            double score = Double.NEGATIVE_INFINITY;
            double top = Double.NEGATIVE_INFINITY;
            for (List<Ranked> gate : state.gates) {
                for (Ranked ranked : gate) {
                    top = Math.max(top, ranked.score);
                    if (ranked.expert == expert) {
                        rank = Math.min(rank, ranked.rank);
                        score = Math.max(score, ranked.score);
                    }
                }
            }
            if (rank < Integer.MAX_VALUE) {
                candidates.add(new Candidate(state, rank, top, score));
            }
        }
        return candidates;
    }

    private Comparator<Candidate> order() {
        Comparator<Candidate> byToken =
                Comparator.<Candidate, Long>comparing(c -> c.state.token.timestamp())
                        .thenComparing(c -> c.state.token.stream())
                        .thenComparing(c -> c.state.token.position());
        // float32, as the scores that operators compare: equal ones are ordered by the token
        Comparator<Candidate> byRank = Comparator.comparing(Candidate::rank);
        Comparator<Candidate> byTop = Comparator.comparing(c -> -(float) c.top);
        Comparator<Candidate> byScore = Comparator.comparing(c -> -(float) c.score);
        return switch (capacity.order()) {
            case POSITION -> byRank.thenComparing(byToken);
            case TOKEN_PRIORITY -> byRank.thenComparing(byTop).thenComparing(byToken);
            case GATE_SCORE -> byScore.thenComparing(byToken);
            case RANDOM -> throw new IllegalArgumentException(AdmissionOrder.RANDOM + " is drawn");
        };
    }

    private void combine(Layer layer, State state) {
        double[] u = hidden(layer, state);
        double[] sum = layer.shared() == null ? new double[layer.out()] : layer.shared().times(u);
        boolean any = false;
        int column = 0;
        for (int g = 0; g < layer.gates().size(); g++) {
            Gate gate = layer.gates().get(g);
            double[] weights = weights(layer, gate, state.gates.get(g), state);
            state.weights.add(weights);
            int width = layer.experts().get(gate.experts().get(0)).matrix().out();
            for (Ranked ranked : state.gates.get(g)) {
                if (state.outcomes.get(ranked.expert) == Outcome.EXECUTED) {
                    any = true;
                    Expert expert = layer.experts().get(ranked.expert);
                    double[] y = expert.matrix().times(slice(expert.input(), u));
                    for (int i = 0; i < width; i++) {
                        sum[column + i] += weights[ranked.expert] * Math.tanh(y[i]);
                    }
                }
            }
            column += width;
        }
        if (layer.postNorm() != null) {
            sum =
                    any || layer.shared() != null
                            ? layer.postNorm().times(sum)
                            : new double[layer.out()];
        }
        for (int i = 0; i < sum.length && layer.residual(); i++) {
            sum[i] += state.values[i];
        }
        state.absent |= !any && !layer.residual();
        state.values = sum;
    }

    /** The weights of a gate by expert, as the capacity's rule has them. */
    private double[] weights(Layer layer, Gate gate, List<Ranked> ranked, State state) {
        double[] weights = new double[layer.experts().size()];
        double factor =
                gate.routing() == null || gate.routing().routedScalingFactor() == null
                        ? 1
                        : gate.routing().routedScalingFactor();
        boolean survivors = capacity.weightRule() == WeightRule.SURVIVORS;
        double alive = 0;
        for (Ranked r : ranked) {
            boolean executed = state.outcomes.get(r.expert) == Outcome.EXECUTED;
            alive += executed ? r.weight / factor : 0;
        }
        for (Ranked r : ranked) {
            boolean executed = state.outcomes.get(r.expert) == Outcome.EXECUTED;
            weights[r.expert] =
                    !survivors
                            ? r.weight
                            : executed ? r.weight / factor / Math.max(alive, 0x1p-23) * factor : 0;
        }
        return weights;
    }
}
