package io.flinkmoe.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every loss and metric of the golden cases. */
class GoldenLossesTest {

    private static final double RELATIVE = 1e-5;

    static Stream<GoldenTensors> losses() {
        return GoldenTensors.of("losses");
    }

    static Stream<GoldenTensors> withMetrics() {
        return GoldenTensors.all().filter(golden -> !metrics(golden).isEmpty());
    }

    private static List<String> metrics(GoldenTensors golden) {
        return golden.names().stream()
                .filter(name -> name.startsWith("aux."))
                .filter(name -> !name.endsWith("_value"))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("losses")
    void eachPublishedLossIsReproduced(GoldenTensors golden) {
        List<String> names =
                golden.names().stream().filter(name -> name.startsWith("loss.")).toList();

        assertThat(names).isNotEmpty();
        for (String name : names) {
            assertClose(golden, name, new double[] {loss(golden, name)});
        }
    }

    @ParameterizedTest
    @MethodSource("losses")
    void gatesAreTheSoftmaxOverTheSelected(GoldenTensors golden) {
        int n = golden.numExperts();
        float[] logits = golden.floats("logits");
        int[] ids = new int[golden.ints("topk_ids").length];
        float[] weights = new float[ids.length];
        int tokens = logits.length / n;
        new TopKRouter(RoutingConfig.mixtral(n, ids.length / tokens))
                .route(logits, tokens, ids, weights);

        assertThat(ids).isEqualTo(golden.ints("topk_ids"));
        assertThat(Importance.of(ids, weights, n))
                .containsExactly(Importance.of(golden.floats("gates"), n), within(1e-5));
    }

    @ParameterizedTest
    @MethodSource("withMetrics")
    void eachMetricOfALayerIsReproduced(GoldenTensors golden) {
        for (String name : metrics(golden)) {
            assertClose(golden, name, metric(golden, name));
        }
    }

    private static double loss(GoldenTensors golden, String name) {
        int n = golden.numExperts();
        int groups = golden.config().required("batch").intValue();
        float[] logits = golden.floats("logits");
        int[] ids = golden.ints("topk_ids");
        double[] importance = Importance.of(golden.floats("gates"), n);
        return switch (name) {
            case "loss.switch_grouped" -> LoadBalancingLoss.switchGrouped(logits, ids, n, groups);
            case "loss.gshard" -> LoadBalancingLoss.gshard(logits, ids, n);
            case "loss.mixtral" -> LoadBalancingLoss.mixtral(logits, ids, n);
            case "loss.mixtral_masked" ->
                    LoadBalancingLoss.mixtralMasked(logits, ids, n, golden.ints("attention_mask"));
            case "loss.megatron_switch" -> LoadBalancingLoss.megatronSwitch(logits, ids, n);
            case "loss.router_z", "loss.megatron_z" -> RouterZLoss.of(logits, n);
            case "loss.deepseek_sequence" ->
                    LoadBalancingLoss.deepseekSequence(logits, ids, n, groups);
            case "loss.deepseek_batch" -> LoadBalancingLoss.deepseekBatch(logits, ids, n);
            case "loss.vmoe_importance" -> Importance.vmoeLoss(logits, n);
            case "loss.vmoe_load" ->
                    ExpertLoad.vmoeLoss(
                            logits,
                            golden.floats("noisy_logits"),
                            golden.config().required("vmoe_noise_std").doubleValue(),
                            golden.config().required("top_k").intValue(),
                            n);
            case "loss.cv2_importance" -> Importance.cv2(importance);
            case "loss.cv2_importance_unbiased" -> Importance.cv2Unbiased(importance);
            case "loss.jetmoe" -> LoadBalancingLoss.jetmoe(logits, ids, n);
            default -> throw new AssertionError("unknown loss " + name);
        };
    }

    private static double[] metric(GoldenTensors golden, String name) {
        int n = golden.numExperts();
        float[] logits = golden.floats("logits");
        int[] ids = golden.ints("topk_ids");
        return switch (name) {
            case "aux.load_balancing_loss" ->
                    new double[] {loadBalancingLoss(golden, logits, ids, n)};
            case "aux.router_z_loss" -> new double[] {RouterZLoss.of(logits, n)};
            case "aux.importance_loss" -> new double[] {Importance.vmoeLoss(logits, n)};
            case "aux.mi_loss" -> new double[] {MutualInformationLoss.of(logits, n)};
            case "aux.importance" -> Importance.of(ids, golden.floats("topk_weights"), n);
            case "aux.cv2_importance" ->
                    new double[] {
                        Importance.cv2(Importance.of(ids, golden.floats("topk_weights"), n))
                    };
            case "aux.load" -> noisyLoad(golden, logits, ids, n);
            case "aux.cv2_load" -> new double[] {Importance.cv2(noisyLoad(golden, logits, ids, n))};
            default -> throw new AssertionError("unknown metric " + name);
        };
    }

    private static double loadBalancingLoss(
            GoldenTensors golden, float[] logits, int[] ids, int n) {
        int groups = golden.num("groups", 1);
        return switch (golden.system()) {
            case "switch", "switch_mesh", "st_moe", "gshard", "vmoe" ->
                    LoadBalancingLoss.switchGrouped(logits, ids, n, groups);
            case "deepspeed_top1", "deepspeed_top2", "deepspeed_residual" ->
                    LoadBalancingLoss.gshard(logits, ids, n);
            case "deepspeed_topk" -> LoadBalancingLoss.deepspeedTopK(logits, ids, n);
            case "tokens_choose" -> LoadBalancingLoss.flaxformer(logits, ids, n, groups);
            case "next_expert" ->
                    LoadBalancingLoss.noTokenLeftBehind(logits, attempts(golden, n), n, groups);
            default -> throw new AssertionError("unknown system " + golden.system());
        };
    }

    /** The first max_attempts columns of the preference order. */
    private static int[] attempts(GoldenTensors golden, int n) {
        int[] order = golden.ints("preference_order");
        int attempts = golden.config().required("max_attempts").intValue();
        int[] tried = new int[order.length / n * attempts];
        Arrays.setAll(tried, i -> order[i / attempts * n + i % attempts]);
        return tried;
    }

    private static double[] noisyLoad(GoldenTensors golden, float[] logits, int[] ids, int n) {
        return ExpertLoad.noisyTopK(
                golden.floats("logits_clean"), logits, golden.floats("noise_stddev"), ids, n);
    }

    private static void assertClose(GoldenTensors golden, String name, double[] actual) {
        float[] expected = golden.floats(name);
        assertThat(actual).as(name).hasSameSizeAs(expected);
        for (int i = 0; i < actual.length; i++) {
            assertThat(actual[i])
                    .as("%s of %s at %d", name, golden, i)
                    .isCloseTo(expected[i], within(RELATIVE * Math.abs(expected[i]) + 1e-9));
        }
    }
}
