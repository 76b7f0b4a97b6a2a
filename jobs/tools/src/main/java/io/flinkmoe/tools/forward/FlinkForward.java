// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.forward;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.MoeResult;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Decision;
import io.flinkmoe.api.DecisionRecord;
import io.flinkmoe.api.RankedGate;
import io.flinkmoe.api.RouterLogits;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TokenMetadata;
import io.flinkmoe.column.ColumnLayout;
import io.flinkmoe.column.InputRows;
import io.flinkmoe.column.OutputRows;
import io.flinkmoe.column.TypedValues;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.reference.GateResult;
import io.flinkmoe.reference.LayerResult;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.tools.flink.EmbeddedFlink;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.CloseableIterator;

/** Runs a matrix through the stream operators on an embedded cluster. Row i becomes position i. */
@Internal
final class FlinkForward {

    /** How long a failed job may take to report its failure. */
    private static final int FAILURE_SECONDS = 10;

    private final Bundle bundle;
    private final BundleSpec spec;

    FlinkForward(Bundle bundle) {
        this.bundle = bundle;
        this.spec = bundle.spec();
    }

    /**
     * Runs T tokens. The outputs of the layers are not recorded and are null in the result.
     *
     * @param x the inputs of T tokens
     */
    ReferenceModel.Result run(InputRows x, int tokens, int parallelism) throws Exception {
        ReferenceModel.Result result = empty(tokens);
        if (tokens == 0) {
            return result;
        }
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, bundle.directory().toAbsolutePath().toString());
        Configuration flinkOptions = new Configuration();
        flinkOptions.set(CoreOptions.DEFAULT_PARALLELISM, parallelism);
        flinkOptions.set(PipelineOptions.GENERIC_TYPES, false);
        flinkOptions.set(PipelineOptions.AUTO_GENERATE_UIDS, false);
        MoeLayers layers = MoeLayers.builder(options).routerLogits().decisionLog().build();
        try (EmbeddedFlink flink = new EmbeddedFlink(flinkOptions)) {
            StreamExecutionEnvironment env = flink.environment();
            int answered =
                    execute(
                            env,
                            layers.score(new ForwardTokens(x, spec.inputLayout()).of(env, tokens)),
                            result);
            if (answered != tokens) {
                throw new IOException(
                        "%,d of %,d tokens were scored or rejected".formatted(answered, tokens));
            }
        }
        return result;
    }

    /** Says what the tokens of a matrix are, for the engine without Flink. */
    static TokenMetadata metadata(int tokens) {
        String[] streams = new String[tokens];
        long[] rows = new long[tokens];
        for (int row = 0; row < tokens; row++) {
            streams[row] = ForwardTokens.stream(row);
            rows[row] = row;
        }
        return new TokenMetadata(rows, streams, rows);
    }

    /** Runs the job, and returns the number of scored and rejected tokens. */
    @SuppressWarnings("try") // closing may be interrupted, and the interrupt is passed on
    private int execute(
            StreamExecutionEnvironment env, MoeResult answers, ReferenceModel.Result result)
            throws Exception {
        int answered;
        // All are read at the same time. Otherwise a full buffer of one would block the job.
        try (CloseableIterator<DeadLetter> letters = answers.deadLetters().collectAsync();
                CloseableIterator<ScoredToken> scores = answers.scored().collectAsync();
                CloseableIterator<RouterLogits> logits = answers.routerLogits().collectAsync();
                CloseableIterator<DecisionRecord> decisions = answers.decisions().collectAsync()) {
            JobClient job = env.executeAsync("moe forward");
            CompletableFuture<Integer> logitsRead =
                    CompletableFuture.supplyAsync(
                            () -> forEach(logits, row -> record(row, result)));
            CompletableFuture<Integer> decisionsRead =
                    CompletableFuture.supplyAsync(
                            () -> forEach(decisions, entry -> record(entry, result)));
            CompletableFuture<Integer> lettersRead =
                    CompletableFuture.supplyAsync(
                            () -> forEach(letters, letter -> record(letter, result)));
            try {
                answered = forEach(scores, token -> record(token, result)) + lettersRead.get();
                logitsRead.get();
                decisionsRead.get();
            } catch (RuntimeException | ExecutionException e) {
                throw reason(job, e);
            }
            job.getJobExecutionResult().get();
        }
        return answered;
    }

    /** Why answers cannot be read: the failure of the job, if it has failed. */
    private static Exception reason(JobClient job, Exception unreadable)
            throws InterruptedException {
        try {
            job.getJobExecutionResult().get(FAILURE_SECONDS, TimeUnit.SECONDS);
            return unreadable;
        } catch (ExecutionException failure) {
            return failure;
        } catch (TimeoutException e) {
            return unreadable; // The job runs.
        }
    }

    private ReferenceModel.Result empty(int tokens) {
        List<LayerResult> layers = new ArrayList<>();
        spec.layers()
                .forEach(
                        layer -> {
                            int choices = tokens * layer.choices();
                            LayerResult result =
                                    new LayerResult(
                                            null,
                                            new float
                                                    [ForwardCommand.hasLogits(layer)
                                                            ? tokens * layer.numExperts()
                                                            : 0],
                                            new int[choices],
                                            new float[choices],
                                            new byte[choices],
                                            new byte[choices],
                                            new int[choices],
                                            gates(layer, tokens));
                            Arrays.fill(result.logits(), Float.NEGATIVE_INFINITY);
                            Arrays.fill(result.experts(), -1);
                            Arrays.fill(result.outcomes(), Outcome.NO_CHOICE);
                            layers.add(result);
                        });
        ColumnLayout outputs = spec.outputLayout();
        OutputRows rows =
                new OutputRows(
                        outputs,
                        new byte[tokens * outputs.words() * Integer.BYTES],
                        new String[tokens * outputs.strings()]);
        return new ReferenceModel.Result(
                new float[tokens * spec.outputSize()],
                rows,
                new String[tokens],
                new boolean[tokens],
                layers);
    }

    private static List<GateResult> gates(LayerSpec layer, int tokens) {
        List<GateResult> gates = new ArrayList<>();
        for (int gate = 0; gate < layer.gates().size() && !layer.hasOneGate(); gate++) {
            GateSpec gateSpec = layer.gates().get(gate);
            int n = gateSpec.routing() == null ? 0 : gateSpec.routing().numExperts();
            int ranks = tokens * gateSpec.k();
            gates.add(new GateResult(new float[tokens * n], new int[ranks], new float[ranks]));
        }
        return gates;
    }

    private static void record(DeadLetter letter, ReferenceModel.Result result) {
        int row = (int) letter.token().position();
        result.rejected()[row] = letter.reason();
        result.outputs().clear(row);
    }

    private static void record(ScoredToken token, ReferenceModel.Result result) {
        int row = (int) token.position();
        float[] values = token.values();
        if (values == null) {
            result.absent()[row] = true;
            result.outputs().clear(row);
        } else {
            System.arraycopy(values, 0, result.out(), row * values.length, values.length);
            TypedValues outputs =
                    token.outputs() == null
                            ? TypedValues.of(
                                    result.outputs().layout(),
                                    Floats.toBytes(values),
                                    new String[0])
                            : token.outputs();
            result.outputs().set(row, outputs);
        }
        for (int i = 0; i < token.layers().length; i++) {
            Decision decision = token.layers()[i];
            LayerResult layer = result.layers().get(i);
            int k = layer.experts().length / result.rejected().length;
            int own = decision.experts().length; // k, or fewer
            System.arraycopy(decision.experts(), 0, layer.experts(), row * k, own);
            for (int choice = 0; choice < own; choice++) {
                layer.outcomes()[row * k + choice] = decision.outcomes()[choice].code();
            }
            for (int at = 0; at < decision.weights().length; at++) {
                layer.weights()[row * k + at % own] += decision.weights()[at];
            }
        }
    }

    private static void record(DecisionRecord entry, ReferenceModel.Result result) {
        int row = (int) entry.position();
        for (int i = 0; i < entry.layers().length; i++) {
            List<GateResult> gates = result.layers().get(i).gates();
            for (int gate = 0; gate < gates.size(); gate++) {
                RankedGate ranked = entry.layers()[i].gates()[gate];
                int k = ranked.experts().length;
                System.arraycopy(ranked.experts(), 0, gates.get(gate).experts(), row * k, k);
                System.arraycopy(ranked.weights(), 0, gates.get(gate).weights(), row * k, k);
            }
        }
    }

    private void record(RouterLogits row, ReferenceModel.Result result) {
        float[] logits = row.logits();
        LayerSpec layer = spec.layers().get(row.layer());
        LayerResult into = result.layers().get(row.layer());
        int token = (int) row.position();
        if (!layer.hasOneGate()) {
            System.arraycopy(
                    logits,
                    0,
                    into.gates().get(row.gate()).logits(),
                    token * logits.length,
                    logits.length);
            return;
        }
        int[] experts = layer.expertsOf(0);
        for (int column = 0; column < logits.length; column++) {
            into.logits()[token * layer.numExperts() + experts[column]] = logits[column];
        }
    }

    private static <T> int forEach(CloseableIterator<T> elements, Consumer<T> action) {
        int count = 0;
        while (elements.hasNext()) {
            action.accept(elements.next());
            count++;
        }
        return count;
    }
}
