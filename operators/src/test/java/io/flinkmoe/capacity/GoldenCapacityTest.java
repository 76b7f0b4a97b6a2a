package io.flinkmoe.capacity;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.routing.RouterNoise;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.TopKRouter;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The published implementations' capacity: room, drops, slots, counts and weights. */
class GoldenCapacityTest {

    private static final Set<String> DROPPING =
            Set.of(
                    "switch",
                    "switch_mesh",
                    "st_moe",
                    "gshard",
                    "vmoe",
                    "tokens_choose",
                    "deepspeed_top1",
                    "deepspeed_top2",
                    "deepspeed_topk",
                    "deepspeed_residual",
                    "nllb_moe",
                    "openmoe");

    static List<CapacityCase> casesWithFormula() throws IOException {
        return CapacityCase.all(s -> DROPPING.contains(s) || s.equals("expert_choice")).stream()
                .filter(c -> c.formula() != null)
                .toList();
    }

    static List<CapacityCase> droppingCases() throws IOException {
        return CapacityCase.all(DROPPING::contains);
    }

    @ParameterizedTest
    @MethodSource("casesWithFormula")
    void computesTheCapacityInForce(CapacityCase c) {
        assertThat(c.formula().capacity(c.windowTokens(), c.numExperts(), c.topK()))
                .isEqualTo(c.capacity());
    }

    @ParameterizedTest
    @MethodSource("droppingCases")
    void admitsAndWeighsAsThePublishedCode(CapacityCase c) throws IOException {
        int k = c.topK();
        int n = c.numExperts();
        int windowChoices = c.windowTokens() * k;
        try (SafetensorsFile tensors = c.tensors()) {
            int choices = c.windows() * windowChoices;
            int[] ids = new int[choices];
            float[] scores = new float[choices];
            route(c, tensors, ids, scores);
            int[] asking = asking(c, tensors, ids, scores);
            float[] keys = c.is("use_rts") ? gather(tensors, ids, n, k) : scores;

            boolean[] executed = new boolean[choices];
            int[] slot = new int[choices];
            int[] requested = new int[n];
            int[] admitted = new int[n];
            for (int from = 0; from < choices; from += windowChoices) {
                WindowAdmission window =
                        WindowAdmission.of(
                                Arrays.copyOfRange(asking, from, from + windowChoices),
                                Arrays.copyOfRange(keys, from, from + windowChoices),
                                n,
                                k,
                                c.capacity(),
                                c.order());
                System.arraycopy(window.executed(), 0, executed, from, windowChoices);
                System.arraycopy(window.slot(), 0, slot, from, windowChoices);
                CapacityCase.add(requested, window.requestedPerExpert());
                CapacityCase.add(admitted, window.tokensPerExpert());
            }

            // Where the published code breaks ties as it likes, the canonical answer is ours.
            String answer = tensors.contains("canonical.topk_ids") ? "canonical." : "";
            assertThat(ids).isEqualTo(tensors.ints(answer + "topk_ids"));
            assertThat(slot).isEqualTo(tensors.ints(answer + "topk_slot"));
            if (answer.isEmpty()) {
                assertThat(CapacityCase.dropped(slot)).isEqualTo(tensors.ints("topk_dropped"));
                assertThat(admitted).isEqualTo(tensors.ints("tokens_per_expert"));
            }
            boolean asksTheSame = Arrays.equals(ids, tensors.ints("topk_ids"));
            if (asksTheSame && tensors.contains("requested_per_expert")) {
                assertThat(requested).isEqualTo(tensors.ints("requested_per_expert"));
            }
            CapacityCase.assertWeights(
                    c.survivors().weights(scores, executed, k),
                    tensors.floats(answer + "topk_weights"));
        }
    }

    private static void route(CapacityCase c, SafetensorsFile tensors, int[] ids, float[] scores)
            throws IOException {
        RoutingConfig config = RoutingConfig.softmax(c.numExperts(), c.topK());
        NoiseSource noise = null;
        if (c.is("second_expert_sampling")) {
            config = config.withNoise(new RouterNoise(RouterNoise.Kind.GUMBEL_SECOND, 0));
            noise = new RecordedGumbel(tensors.floats("noise.gumbel"), c.numExperts());
        }
        new TopKRouter(config)
                .route(tensors.floats("logits"), ids.length / c.topK(), ids, scores, noise);
    }

    private static int[] asking(CapacityCase c, SafetensorsFile tensors, int[] ids, float[] scores)
            throws IOException {
        if (!c.config().path("second_policy").asText().equals("random")) {
            return ids;
        }
        boolean[] all = new boolean[ids.length];
        Arrays.fill(all, true);
        return RandomSecond.asking(
                ids,
                Survivors.SHARE_OF_ALL.weights(scores, all, c.topK()),
                tensors.floats("noise.second_uniform"),
                (float) c.config().get("second_threshold").asDouble());
    }

    private static float[] gather(SafetensorsFile tensors, int[] ids, int n, int k)
            throws IOException {
        float[] uniforms = tensors.floats("noise.rts_uniform");
        float[] gathered = new float[ids.length];
        for (int choice = 0; choice < ids.length; choice++) {
            gathered[choice] = uniforms[choice / k * n + ids[choice]];
        }
        return gathered;
    }

    private record RecordedGumbel(float[] draws, int numExperts) implements NoiseSource {
        @Override
        public float gumbel(int token, int expert) {
            return draws[token * numExperts + expert];
        }

        @Override
        public float uniform(int token) {
            throw new UnsupportedOperationException();
        }

        @Override
        public float uniform(int token, int value) {
            throw new UnsupportedOperationException();
        }

        @Override
        public float normal(int token, int expert) {
            throw new UnsupportedOperationException();
        }
    }
}
