// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.tensor.DType;
import io.flinkmoe.tensor.SafetensorsFile;
import io.flinkmoe.tensor.TensorInfo;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * One golden case: the configuration in case.json, the tensors by name, and comparisons with them
 * as the golden README lays them down. It remembers which tensors were read. The rows of {@code
 * tie.rows} depend on how the published code orders equal scores; they are compared with the {@code
 * canonical.} tensor instead, or not at all where there is none.
 */
public final class GoldenCase {

    private static final ObjectMapper MAPPER = new ObjectMapper();

    /** Stands for minus infinity in the stored selection scores. */
    private static final float MASKED = -1e30f;

    private static final float NEGLIGIBLE_WEIGHT = 1e-30f;

    private final String name;
    private final JsonNode json;
    private final TreeMap<String, Tensor> tensors = new TreeMap<>();
    private final Set<String> read = new TreeSet<>();
    private final Set<String> readKeys = new TreeSet<>();

    /** Either floats or ints is null. */
    private record Tensor(int[] shape, float[] floats, int[] ints) {
        int rows() {
            return shape.length == 0 ? 1 : shape[0];
        }

        int rowWidth() {
            return rows() == 0 ? 0 : (floats == null ? ints.length : floats.length) / rows();
        }
    }

    private GoldenCase(String name, JsonNode json) {
        this.name = name;
        this.json = json;
    }

    /** Reads a folder with case.json and tensors.safetensors. */
    public static GoldenCase open(Path folder) throws IOException {
        GoldenCase golden =
                new GoldenCase(
                        folder.getFileName().toString(),
                        MAPPER.readTree(folder.resolve("case.json").toFile()));
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("tensors.safetensors"))) {
            for (TensorInfo info : file.tensors().values()) {
                boolean ints = info.dtype() != DType.F32;
                golden.tensors.put(
                        info.name(),
                        new Tensor(
                                info.shape().stream().mapToInt(Math::toIntExact).toArray(),
                                ints ? null : file.floats(info.name()),
                                ints ? file.ints(info.name()) : null));
            }
        }
        return golden;
    }

    /** The folder's name. */
    public String name() {
        return name;
    }

    public String system() {
        return typed(json, "system", JsonNode::isTextual, "a text").asText();
    }

    /** Whether the configuration has a value, other than null, under a key. */
    public boolean has(String key) {
        return json.path("config").hasNonNull(key);
    }

    public int integer(String key) {
        return config(key, JsonNode::isInt, "an integer").asInt();
    }

    public double number(String key) {
        return config(key, JsonNode::isNumber, "a number").asDouble();
    }

    public boolean flag(String key) {
        return config(key, JsonNode::isBoolean, "true or false").asBoolean();
    }

    public String text(String key) {
        return config(key, JsonNode::isTextual, "a text").asText();
    }

    /** The first text under some keys, in lower case; empty if there is none. */
    String anyText(String... keys) {
        for (String key : keys) {
            if (has(key)) {
                return text(key).toLowerCase(Locale.ROOT);
            }
        }
        return "";
    }

    /** Whether a key has this text; it may have something else than a text. */
    public boolean isText(String key, String text) {
        readKeys.add(key);
        JsonNode value = json.path("config").path(key);
        return value.isTextual() && value.asText().equals(text);
    }

    private JsonNode config(String key, Predicate<JsonNode> type, String expected) {
        readKeys.add(key);
        return typed(json.path("config"), key, type, expected);
    }

    private JsonNode typed(JsonNode in, String key, Predicate<JsonNode> type, String expected) {
        JsonNode value = in.path(key);
        if (!type.test(value)) {
            TreeSet<String> keys = new TreeSet<>();
            in.fieldNames().forEachRemaining(keys::add);
            throw new IllegalArgumentException(
                    "%s: '%s' is %s; expected %s; keys there: %s"
                            .formatted(
                                    name,
                                    key,
                                    value.isMissingNode() ? "missing" : value,
                                    expected,
                                    keys));
        }
        return value;
    }

    /** The levels of a case with several gates; empty if it is not one. */
    public JsonNode levels() {
        readKeys.add("levels");
        return json.path("config").path("levels");
    }

    public boolean hasTensor(String tensor) {
        return tensors.containsKey(tensor);
    }

    public int[] shape(String tensor) {
        return tensor(tensor).shape.clone();
    }

    public boolean isFloat(String tensor) {
        return tensor(tensor).floats != null;
    }

    /** A float tensor, row-major. */
    public float[] floats(String tensor) {
        return read(tensor, Tensor::floats, "floats").clone();
    }

    /** An integer tensor, row-major. */
    public int[] ints(String tensor) {
        return read(tensor, Tensor::ints, "integers").clone();
    }

    private <V> V read(String tensor, Function<Tensor, V> values, String kind) {
        read.add(tensor);
        V found = values.apply(tensor(tensor));
        if (found == null) {
            throw new IllegalArgumentException(
                    "%s: tensor %s does not hold %s".formatted(name, tensor, kind));
        }
        return found;
    }

    /** The tensors that nobody has read or compared. */
    public Set<String> unread() {
        TreeSet<String> unread = new TreeSet<>(tensors.keySet());
        unread.removeAll(read);
        return unread;
    }

    /** The keys of the configuration that nobody has read and whose value is not null. */
    Set<String> unreadKeys() {
        TreeSet<String> unread = new TreeSet<>();
        json.path("config").fieldNames().forEachRemaining(unread::add);
        unread.removeIf(key -> readKeys.contains(key) || !has(key));
        return unread;
    }

    private Tensor tensor(String tensor) {
        Tensor found = tensors.get(tensor);
        if (found == null) {
            throw new IllegalArgumentException(
                    "%s: there is no tensor %s; it has %s"
                            .formatted(name, tensor, tensors.keySet()));
        }
        return found;
    }

    /** Compares ids, slots, drops or counts exactly. */
    public void assertIds(String tensor, int[] actual) {
        assertIds(tensor, actual, null);
    }

    /**
     * Compares ids exactly, but for those of tie rows that have weight 0 on both sides.
     *
     * @param actualWeights the weights found with the ids, compared with topk_weights; null for
     *     none
     */
    public void assertIds(String tensor, int[] actual, float[] actualWeights) {
        int[] published = ints(tensor);
        assertLength(tensor, published.length, actual.length);
        int[] canonical = hasTensor("canonical." + tensor) ? ints("canonical." + tensor) : null;
        Set<Integer> ties = tieRows(tensor);
        int width = tensor(tensor).rowWidth();
        for (int i = 0; i < actual.length; i++) {
            int row = i / width;
            boolean tie = ties.contains(row);
            int[] expected = tie ? canonical : published;
            if (expected == null
                    || actual[i] == expected[i]
                    || tie && actualWeights != null && weighsNothing(i, actualWeights)) {
                continue;
            }
            throw differs(
                    tie ? "canonical." + tensor : tensor,
                    ", row %d: expected %s, found %s",
                    row,
                    text(expected, row, width),
                    text(actual, row, width));
        }
    }

    private boolean weighsNothing(int choice, float[] actualWeights) {
        float expected = tensor("canonical.topk_weights").floats[choice];
        return Math.max(Math.abs(expected), Math.abs(actualWeights[choice])) <= NEGLIGIBLE_WEIGHT;
    }

    private static String text(int[] values, int row, int width) {
        return Arrays.toString(Arrays.copyOfRange(values, row * width, (row + 1) * width));
    }

    /**
     * Compares the executed choices per expert. With tie rows only their total and what the other
     * rows hold are certain: each expert has between the choices of the other rows, and those plus
     * one for each tie row.
     *
     * @param actual [E]
     */
    public void assertTokensPerExpert(int[] actual) {
        Set<Integer> ties = tieRows("topk_ids");
        if (ties.isEmpty()) {
            assertIds("tokens_per_expert", actual);
            return;
        }
        int[] published = ints("tokens_per_expert");
        assertLength("tokens_per_expert", published.length, actual.length);
        int[] certain = countOutside(ties, published.length);
        boolean same = Arrays.stream(actual).sum() == Arrays.stream(published).sum();
        for (int expert = 0; expert < actual.length; expert++) {
            int free = actual[expert] - certain[expert];
            same &= free >= 0 && free <= ties.size();
        }
        if (!same) {
            throw differs(
                    "tokens_per_expert",
                    ": expected %s but for %d tie rows, found %s",
                    Arrays.toString(published),
                    ties.size(),
                    Arrays.toString(actual));
        }
    }

    /** The executed choices per expert of all rows but some; not a comparison, so not a reading. */
    private int[] countOutside(Set<Integer> rows, int experts) {
        Tensor ids = tensor("topk_ids");
        int[] dropped = hasTensor("topk_dropped") ? tensor("topk_dropped").ints : null;
        int[] counts = new int[experts];
        for (int choice = 0; choice < ids.ints.length; choice++) {
            boolean executed = ids.ints[choice] >= 0 && (dropped == null || dropped[choice] == 0);
            if (executed && !rows.contains(choice / ids.rowWidth())) {
                counts[ids.ints[choice]]++;
            }
        }
        return counts;
    }

    /** Compares topk_weights, [T, k], to 2e-6. */
    public void assertWeights(float[] actual) {
        assertClose("topk_weights", actual, 2e-6);
    }

    /** Compares out, [T, D], to 1e-5. */
    public void assertOut(float[] actual) {
        assertClose("out", actual, 1e-5);
    }

    /**
     * Compares floats to {@code tolerance} times max(1, the largest magnitude expected). Where
     * -1e30 is expected, that or less passes.
     */
    public void assertClose(String tensor, float[] actual, double tolerance) {
        float[] published = floats(tensor);
        assertLength(tensor, published.length, actual.length);
        float[] canonical =
                hasTensor("canonical." + tensor) ? floats("canonical." + tensor) : published;
        Set<Integer> ties = tieRows(tensor);
        double scale = 1;
        for (float value : published) {
            scale = value <= MASKED ? scale : Math.max(scale, Math.abs(value));
        }
        double limit = tolerance * scale;
        for (int i = 0; i < actual.length; i++) {
            int row = i / tensor(tensor).rowWidth();
            boolean tie = ties.contains(row);
            float expected = tie ? canonical[i] : published[i];
            boolean close =
                    expected <= MASKED
                            ? actual[i] <= MASKED
                            : Math.abs((double) actual[i] - expected) <= limit;
            if (!close) {
                throw differs(
                        tie ? "canonical." + tensor : tensor,
                        ", row %d, element %d: expected %s, found %s; allowed difference: %s",
                        row,
                        i % tensor(tensor).rowWidth(),
                        expected,
                        actual[i],
                        limit);
            }
        }
    }

    /** The rows that depend on the order of equals, in a tensor whose rows are tokens' choices. */
    private Set<Integer> tieRows(String tensor) {
        boolean depends = tensor.startsWith("topk_") || hasTensor("canonical." + tensor);
        if (!depends || !hasTensor("tie.rows")) {
            return Set.of();
        }
        return Arrays.stream(ints("tie.rows")).boxed().collect(Collectors.toSet());
    }

    private void assertLength(String tensor, int expected, int found) {
        if (expected != found) {
            throw differs(
                    tensor,
                    " %s: expected %d elements, found %d",
                    Arrays.toString(tensor(tensor).shape),
                    expected,
                    found);
        }
    }

    private AssertionError differs(String tensor, String format, Object... values) {
        return new AssertionError(name + ": " + tensor + format.formatted(values));
    }

    @Override
    public String toString() {
        return name;
    }
}
