package io.flinkmoe.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** A golden case of a system with capacity: its folder, its system and its configuration. */
record CapacityCase(Path folder, String system, JsonNode config) {

    private static final Path CASES =
            Path.of(System.getProperty("golden.dir", "src/test/resources/golden"));

    /** The cases of some systems, by name. */
    static List<CapacityCase> all(Predicate<String> system) throws IOException {
        try (Stream<Path> folders = Files.list(CASES)) {
            return folders.filter(Files::isDirectory)
                    .map(CapacityCase::read)
                    .filter(c -> system.test(c.system()))
                    .sorted((a, b) -> a.toString().compareTo(b.toString()))
                    .toList();
        }
    }

    static CapacityCase read(Path folder) {
        try {
            JsonNode json = new ObjectMapper().readTree(folder.resolve("case.json").toFile());
            return new CapacityCase(folder, json.get("system").asText(), json.get("config"));
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

    /** The system's formula; null where the case gives C itself, or drops nothing. */
    CapacityFormula formula() {
        double factor = config.path("capacity_factor").asDouble();
        int minimum = config.path("min_capacity").asInt();
        double fraction = config.path("eval_capacity_token_fraction").asDouble();
        return switch (system) {
            case "switch_mesh", "st_moe" -> CapacityFormula.switchMesh(factor, minimum);
            case "gshard" -> CapacityFormula.gshard(factor);
            case "vmoe" -> CapacityFormula.vmoe(factor);
            case "tokens_choose" -> CapacityFormula.tokensChoose(factor, minimum);
            case "deepspeed_top1", "deepspeed_top2", "deepspeed_topk", "deepspeed_residual" ->
                    is("drop_tokens") ? CapacityFormula.deepspeed(factor, minimum) : null;
            case "nllb_moe" ->
                    fraction > 0 ? CapacityFormula.nllbEval(fraction) : CapacityFormula.nllbTrain();
            case "openmoe" -> CapacityFormula.openMoe(factor);
            case "expert_choice" -> CapacityFormula.expertChoice(factor);
            default -> null;
        };
    }

    /** The order in which choices ask for room. */
    AdmissionOrder order() {
        if (is("batch_prioritized")) {
            return AdmissionOrder.TOKEN_PRIORITY;
        }
        boolean byScore = config.path("drop_order").asText().contains("'probs'");
        return byScore || is("use_rts") ? AdmissionOrder.GATE_SCORE : AdmissionOrder.POSITION;
    }

    /** What the weights become. */
    Survivors survivors() {
        return switch (system) {
            case "st_moe" -> Survivors.SHARE_OF_ALL;
            case "gshard" ->
                    is("legacy_mtf_behavior")
                            ? Survivors.SHARE_OF_ALL
                            : Survivors.SHARE_OF_SURVIVORS;
            case "nllb_moe" ->
                    config.get("normalise").asText().startsWith("before")
                            ? Survivors.SHARE_OF_ALL
                            : Survivors.SHARE_OF_SURVIVORS;
            case "deepspeed_top2", "deepspeed_topk" -> Survivors.SHARE_OF_SURVIVORS;
            default -> Survivors.RAW;
        };
    }

    /** 1 where there is no slot. */
    static int[] dropped(int[] slot) {
        return IntStream.of(slot).map(place -> place < 0 ? 1 : 0).toArray();
    }

    /** Adds counts to a sum. */
    static void add(int[] sum, int[] counts) {
        Arrays.setAll(sum, i -> sum[i] + counts[i]);
    }

    /** Compares within 2e-6 times the largest weight, or 2e-6. */
    static void assertWeights(float[] actual, float[] expected) {
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
}
