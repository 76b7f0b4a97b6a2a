package io.flinkmoe.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The golden cases of routing that balances by itself, and of the bias update. */
class GoldenBalancedRoutingTest {

    static Stream<GoldenTensors> biasUpdates() {
        return GoldenTensors.of("bias_update");
    }

    static Stream<GoldenTensors> sinkhorn() {
        return GoldenTensors.of("sinkhorn");
    }

    static Stream<GoldenTensors> sinkhornInTraining() {
        return sinkhorn().filter(golden -> golden.config().required("training").booleanValue());
    }

    static Stream<GoldenTensors> expertChoice() {
        return GoldenTensors.of("expert_choice");
    }

    static Stream<GoldenTensors> balancedBase() {
        return GoldenTensors.of("base_layer")
                .filter(golden -> golden.config().required("training").booleanValue());
    }

    @ParameterizedTest
    @MethodSource("biasUpdates")
    void biasIsUpdatedToTheLastBit(GoldenTensors golden) {
        int n = golden.numExperts();
        float[] biases = golden.floats("bias");
        long[] loads = Arrays.stream(golden.ints("load")).asLongStream().toArray();
        float rate = golden.config().required("update_rate").floatValue();
        int steps = golden.config().required("steps").intValue();
        float[] bias = Arrays.copyOf(biases, n);

        for (int step = 0; step < steps; step++) {
            bias = BiasUpdate.step(bias, Arrays.copyOfRange(loads, step * n, (step + 1) * n), rate);

            assertThat(bias)
                    .as("after step %d", step)
                    .isEqualTo(Arrays.copyOfRange(biases, (step + 1) * n, (step + 2) * n));
        }
    }

    @ParameterizedTest
    @MethodSource("sinkhorn")
    void sinkhornFindsThePlan(GoldenTensors golden) {
        float[] expected = golden.floats("sinkhorn.plan");

        float[] plan = Sinkhorn.plan(golden.floats("logits"), golden.numExperts());

        assertThat(plan).hasSameSizeAs(expected);
        for (int i = 0; i < plan.length; i++) {
            assertThat((double) plan[i]).isCloseTo(expected[i], within(1e-5 * expected[i]));
        }
    }

    @ParameterizedTest
    @MethodSource("sinkhornInTraining")
    void sinkhornSelectsByThePlanAndWeighsByTheLogits(GoldenTensors golden) {
        int[] ids = new int[golden.ints("topk_ids").length];
        float[] weights = new float[ids.length];

        Sinkhorn.route(
                golden.floats("logits"),
                golden.numExperts(),
                golden.config().required("top_k").intValue(),
                ids,
                weights);

        assertThat(ids).isEqualTo(golden.ints("topk_ids"));
        assertWeights(weights, golden.floats("topk_weights"));
    }

    @ParameterizedTest
    @MethodSource("expertChoice")
    void expertsChooseTheirTokens(GoldenTensors golden) {
        int n = golden.numExperts();
        float[] logits = golden.floats("logits");
        int capacity =
                ExpertChoice.capacity(
                        golden.config().required("capacity_factor").doubleValue(),
                        logits.length / n,
                        n);

        ExpertChoice choice =
                golden.config().required("score").textValue().contains("over TOKENS")
                        ? ExpertChoice.overTokens(logits, n, capacity)
                        : ExpertChoice.overExperts(logits, n, capacity);

        assertThat(capacity).isEqualTo(golden.config().required("capacity").intValue());
        assertThat(choice.tokenIds()).isEqualTo(golden.ints("ec.token_ids"));
        assertWeights(choice.weights(), golden.floats("ec.weights"));
        assertThat(choice.expertsPerToken()).isEqualTo(golden.ints("experts_per_token"));
    }

    @ParameterizedTest
    @MethodSource("balancedBase")
    void auctionAssignsAsFairseqDoes(GoldenTensors golden) {
        int n = golden.numExperts();
        float[] logits = golden.floats("logits");

        int[] sortByExpert = BalancedAssignment.auction(logits, n);
        int[] experts = BalancedAssignment.expertOfToken(sortByExpert, n);

        assertThat(sortByExpert).isEqualTo(golden.ints("base.sort_by_expert"));
        assertThat(experts).isEqualTo(golden.ints("topk_ids"));
        assertValue(BalancedAssignment.value(logits, n, experts), golden, "aux.assignment_value");
    }

    @ParameterizedTest
    @MethodSource("balancedBase")
    void optimumIsExact(GoldenTensors golden) {
        int n = golden.numExperts();
        float[] logits = golden.floats("logits");

        int[] experts = OptimalAssignment.of(logits, n);

        assertThat(experts).isEqualTo(golden.ints("optimal.ids"));
        assertValue(BalancedAssignment.value(logits, n, experts), golden, "aux.optimal_value");
        assertThat(IntStream.of(experts).filter(expert -> expert == 0).count())
                .isEqualTo(experts.length / n);
    }

    private static void assertValue(double value, GoldenTensors golden, String tensor) {
        double expected = golden.floats(tensor)[0];
        assertThat(value).isCloseTo(expected, within(1e-5 * Math.abs(expected)));
    }

    private static void assertWeights(float[] actual, float[] expected) {
        float largest = 1;
        for (float weight : expected) {
            largest = Math.max(largest, weight);
        }
        assertThat(actual).containsExactly(expected, within(2e-6f * largest));
    }
}
