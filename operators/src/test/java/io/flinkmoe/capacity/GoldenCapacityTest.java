package io.flinkmoe.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.routing.RouterNoise;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.TopKRouter;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The published implementations' capacity: room, drops, slots, counts and weights. */
class GoldenCapacityTest {

    private static final Path CASES =
            Path.of(System.getProperty("golden.dir", "src/test/resources/golden"));
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

    /** A case's folder, its system and its configuration. */
    private record Case(Path folder, String system, JsonNode config) {

        static Case read(Path folder) {
            try {
                JsonNode json = new ObjectMapper().readTree(folder.resolve("case.json").toFile());
                return new Case(folder, json.get("system").asText(), json.get("config"));
            } catch (IOException e) {
                throw new IllegalStateException(folder.toString(), e);
            }
        }

        SafetensorsFile tensors() throws IOException {
            return SafetensorsFile.open(folder.resolve("tensors.safetensors"));
        }

        int numExperts() {
            return config.get("num_experts").asInt();
        }

        int topK() {
            return config.path("top_k").asInt(1);
        }

        int capacity() {
            return config.get("capacity").asInt();
        }

        int windows() {
            return config.path("groups").asInt(1);
        }

        int windowTokens() {
            return config.get("tokens").asInt() / windows();
        }

        boolean is(String option) {
            return config.path(option).asBoolean();
        }

        @Override
        public String toString() {
            return folder.getFileName().toString();
        }
    }

    private static List<Case> cases(Predicate<String> system) throws IOException {
        try (Stream<Path> folders = Files.list(CASES)) {
            return folders.filter(Files::isDirectory)
                    .map(Case::read)
                    .filter(c -> system.test(c.system()))
                    .sorted((a, b) -> a.toString().compareTo(b.toString()))
                    .toList();
        }
    }

    static List<Case> casesWithFormula() throws IOException {
        return cases(s -> DROPPING.contains(s) || s.equals("expert_choice")).stream()
                .filter(c -> formula(c) != null)
                .toList();
    }

    static List<Case> droppingCases() throws IOException {
        return cases(DROPPING::contains);
    }

    static List<Case> nextExpertCases() throws IOException {
        return cases("next_expert"::equals);
    }

    /** The system's formula; null where the case gives C itself, or drops nothing. */
    private static CapacityFormula formula(Case c) {
        double factor = c.config().path("capacity_factor").asDouble();
        int minimum = c.config().path("min_capacity").asInt();
        double fraction = c.config().path("eval_capacity_token_fraction").asDouble();
        return switch (c.system()) {
            case "switch_mesh", "st_moe" -> CapacityFormula.switchMesh(factor, minimum);
            case "gshard" -> CapacityFormula.gshard(factor);
            case "vmoe" -> CapacityFormula.vmoe(factor);
            case "tokens_choose" -> CapacityFormula.tokensChoose(factor, minimum);
            case "deepspeed_top1", "deepspeed_top2", "deepspeed_topk", "deepspeed_residual" ->
                    c.is("drop_tokens") ? CapacityFormula.deepspeed(factor, minimum) : null;
            case "nllb_moe" ->
                    fraction > 0 ? CapacityFormula.nllbEval(fraction) : CapacityFormula.nllbTrain();
            case "openmoe" -> CapacityFormula.openMoe(factor);
            case "expert_choice" -> CapacityFormula.expertChoice(factor);
            default -> null;
        };
    }

    private static AdmissionOrder order(Case c) {
        if (c.is("batch_prioritized")) {
            return AdmissionOrder.TOKEN_PRIORITY;
        }
        boolean byScore = c.config().path("drop_order").asText().contains("'probs'");
        return byScore || c.is("use_rts") ? AdmissionOrder.GATE_SCORE : AdmissionOrder.POSITION;
    }

    private static Survivors survivors(Case c) {
        return switch (c.system()) {
            case "st_moe" -> Survivors.SHARE_OF_ALL;
            case "gshard" ->
                    c.is("legacy_mtf_behavior")
                            ? Survivors.SHARE_OF_ALL
                            : Survivors.SHARE_OF_SURVIVORS;
            case "nllb_moe" ->
                    c.config().get("normalise").asText().startsWith("before")
                            ? Survivors.SHARE_OF_ALL
                            : Survivors.SHARE_OF_SURVIVORS;
            case "deepspeed_top2", "deepspeed_topk" -> Survivors.SHARE_OF_SURVIVORS;
            default -> Survivors.RAW;
        };
    }

    @ParameterizedTest
    @MethodSource("casesWithFormula")
    void computesTheCapacityInForce(Case c) {
        assertThat(formula(c).capacity(c.windowTokens(), c.numExperts(), c.topK()))
                .isEqualTo(c.capacity());
    }

    @ParameterizedTest
    @MethodSource("droppingCases")
    void admitsAndWeighsAsThePublishedCode(Case c) throws IOException {
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
                                order(c));
                System.arraycopy(window.executed(), 0, executed, from, windowChoices);
                System.arraycopy(window.slot(), 0, slot, from, windowChoices);
                add(requested, window.requestedPerExpert());
                add(admitted, window.tokensPerExpert());
            }

            // Where the published code breaks ties as it likes, the canonical answer is ours.
            String answer = tensors.contains("canonical.topk_ids") ? "canonical." : "";
            assertThat(ids).isEqualTo(tensors.ints(answer + "topk_ids"));
            assertThat(slot).isEqualTo(tensors.ints(answer + "topk_slot"));
            if (answer.isEmpty()) {
                assertThat(dropped(slot)).isEqualTo(tensors.ints("topk_dropped"));
                assertThat(admitted).isEqualTo(tensors.ints("tokens_per_expert"));
            }
            if (tensors.contains("requested_per_expert")) {
                assertThat(requested).isEqualTo(tensors.ints("requested_per_expert"));
            }
            assertWeights(
                    survivors(c).weights(scores, executed, k),
                    tensors.floats(answer + "topk_weights"));
        }
    }

    @ParameterizedTest
    @MethodSource("nextExpertCases")
    void findsTheNextExpertAsThePublishedCode(Case c) throws IOException {
        int n = c.numExperts();
        int k = c.topK();
        int windowWidth = c.windowTokens() * n;
        int windowChoices = c.windowTokens() * k;
        int rounds = c.config().get("max_attempts").asInt() - 1;
        try (SafetensorsFile tensors = c.tensors()) {
            float[] logits = tensors.floats("logits");
            int[] preferences = new int[logits.length];
            float[] scores = new float[logits.length];
            new TopKRouter(RoutingConfig.softmax(n, n))
                    .route(logits, logits.length / n, preferences, scores);
            assertThat(preferences).isEqualTo(tensors.ints("preference_order"));

            int[] admitted = new int[n];
            for (int window = 0; window < c.windows(); window++) {
                int from = window * windowWidth;
                int[] preferred = Arrays.copyOfRange(preferences, from, from + windowWidth);
                float[] scored = Arrays.copyOfRange(scores, from, from + windowWidth);
                NextExpert byRounds =
                        NextExpert.byRounds(
                                preferred,
                                scored,
                                n,
                                k,
                                rounds,
                                c.capacity(),
                                AdmissionOrder.POSITION);
                NextExpert sequential =
                        NextExpert.sequential(preferred, scored, n, k, rounds, c.capacity());
                int at = window * windowChoices;
                int end = at + windowChoices;
                assertPlaces(tensors, "", at, end, byRounds, byRounds.weights(scored, k));
                assertThat(byRounds.assignedRank())
                        .isEqualTo(Arrays.copyOfRange(tensors.ints("assigned_rank"), at, end));
                assertThat(dropped(byRounds.slot()))
                        .isEqualTo(Arrays.copyOfRange(tensors.ints("topk_dropped"), at, end));
                assertPlaces(
                        tensors, "sequential.", at, end, sequential, sequential.weights(scored, k));
                add(admitted, byRounds.tokensPerExpert());
            }
            assertThat(admitted).isEqualTo(tensors.ints("tokens_per_expert"));
        }
    }

    private static void assertPlaces(
            SafetensorsFile tensors,
            String answer,
            int at,
            int end,
            NextExpert actual,
            float[] weights)
            throws IOException {
        assertThat(actual.expert())
                .isEqualTo(Arrays.copyOfRange(tensors.ints(answer + "topk_ids"), at, end));
        assertThat(actual.slot())
                .isEqualTo(Arrays.copyOfRange(tensors.ints(answer + "topk_slot"), at, end));
        assertWeights(
                weights, Arrays.copyOfRange(tensors.floats(answer + "topk_weights"), at, end));
    }

    private static void route(Case c, SafetensorsFile tensors, int[] ids, float[] scores)
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

    private static int[] asking(Case c, SafetensorsFile tensors, int[] ids, float[] scores)
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

    private static int[] dropped(int[] slot) {
        return IntStream.of(slot).map(place -> place < 0 ? 1 : 0).toArray();
    }

    private static void add(int[] sum, int[] counts) {
        Arrays.setAll(sum, i -> sum[i] + counts[i]);
    }

    private static void assertWeights(float[] actual, float[] expected) {
        float largest = 1;
        for (float weight : expected) {
            largest = Math.max(largest, weight);
        }
        assertThat(actual).hasSameSizeAs(expected);
        for (int i = 0; i < expected.length; i++) {
            assertThat(actual[i])
                    .as("weight %d", i)
                    .isCloseTo(expected[i], within(2e-6f * largest));
        }
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
