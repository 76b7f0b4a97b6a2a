// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.tensor.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Three tokens, three experts, two choices; row 1 is decided by the order of equals. */
class GoldenCaseTest {

    @TempDir private Path folder;
    private GoldenCase golden;

    @BeforeEach
    void writeCase() throws IOException {
        Path directory = Files.createDirectory(folder.resolve("toy-1"));
        Files.writeString(
                directory.resolve("case.json"),
                """
                {"system": "toy", "config":
                  {"top_k": 2, "eps": 0.5, "training": false, "score": "softmax", "jitter": null}}
                """);
        long[] choices = {3, 2};
        new SafetensorsWriter()
                .add("topk_ids", choices, new int[] {0, 1, 2, 1, 2, 0})
                .add("topk_weights", choices, new float[] {0.75f, 0.25f, 1, 0, 0.5f, 0.5f})
                .add("topk_dropped", choices, new int[] {0, 0, 0, 1, 0, 0})
                .add("tie.rows", new long[] {1}, new int[] {1})
                .add("canonical.topk_ids", choices, new int[] {0, 1, 0, 1, 2, 0})
                .add(
                        "canonical.topk_weights",
                        choices,
                        new float[] {0.75f, 0.25f, 1, 0, 0.5f, 0.5f})
                .add("tokens_per_expert", new long[] {3}, new int[] {2, 1, 2})
                .add("selection_scores", new long[] {3, 1}, new float[] {4, -1e30f, 2})
                .writeTo(directory.resolve("tensors.safetensors"));
        golden = GoldenCase.open(directory);
    }

    @Test
    void readsTheConfiguration() {
        assertThat(golden.system()).isEqualTo("toy");
        assertThat(golden.integer("top_k")).isEqualTo(2);
        assertThat(golden.number("eps")).isEqualTo(0.5);
        assertThat(golden.flag("training")).isFalse();
        assertThat(golden.text("score")).isEqualTo("softmax");
        assertThat(golden.has("jitter")).isFalse();
    }

    @Test
    void namesTheKeyThatIsMissingOrOfAnotherType() {
        assertThatThrownBy(() -> golden.integer("d_ff"))
                .hasMessageContainingAll("toy-1", "'d_ff' is missing", "an integer", "top_k");
        assertThatThrownBy(() -> golden.flag("score"))
                .hasMessageContainingAll("'score' is \"softmax\"", "true or false");
        assertThatThrownBy(() -> golden.floats("x"))
                .hasMessageContainingAll("toy-1", "no tensor x", "topk_ids");
    }

    @Test
    void knowsWhatWasNotRead() {
        golden.floats("selection_scores");
        golden.assertWeights(new float[] {0.75f, 0.25f, 1, 0, 0.5f, 0.5f});

        assertThat(golden.unread())
                .containsExactly(
                        "canonical.topk_ids", "tokens_per_expert", "topk_dropped", "topk_ids");
    }

    @Test
    void comparesTieRowsWithTheCanonicalAnswer() {
        golden.assertIds("topk_ids", new int[] {0, 1, 0, 1, 2, 0});
        assertThatThrownBy(() -> golden.assertIds("topk_ids", new int[] {0, 1, 2, 1, 2, 0}))
                .hasMessage("toy-1: canonical.topk_ids, row 1: expected [0, 1], found [2, 1]");
        assertThatThrownBy(() -> golden.assertIds("topk_ids", new int[] {0, 1, 0, 1, 0, 2}))
                .hasMessage("toy-1: topk_ids, row 2: expected [2, 0], found [0, 2]");
    }

    @Test
    void leavesOutTieRowsWithoutACanonicalAnswer() {
        golden.assertIds("topk_dropped", new int[] {0, 0, 1, 1, 0, 0});
        assertThatThrownBy(() -> golden.assertIds("topk_dropped", new int[] {0, 1, 1, 1, 0, 0}))
                .hasMessageContaining("row 0");
    }

    @Test
    void acceptsOtherIdsInTieRowsOnlyWhereTheyWeighNothing() {
        int[] ids = {0, 1, 0, 2, 2, 0};
        golden.assertIds("topk_ids", ids, new float[] {0.75f, 0.25f, 1, 0, 0.5f, 0.5f});
        float[] weightRule = {0.75f, 0.25f, 0.9f, 0.1f, 0.5f, 0.5f};
        assertThatThrownBy(() -> golden.assertIds("topk_ids", ids, weightRule))
                .hasMessageContaining("expected [0, 1], found [0, 2]");
    }

    @Test
    void countsTokensPerExpertButForTieRows() {
        golden.assertTokensPerExpert(new int[] {3, 1, 1});
        assertThatThrownBy(() -> golden.assertTokensPerExpert(new int[] {4, 0, 1}))
                .hasMessageContainingAll("tokens_per_expert", "[2, 1, 2]", "[4, 0, 1]");
        assertThatThrownBy(() -> golden.assertTokensPerExpert(new int[] {2, 1, 1}))
                .hasMessageContaining("[2, 1, 1]");
        assertThat(golden.unread()).contains("topk_ids", "topk_dropped");
    }

    @Test
    void comparesFloatsWithinTheTolerance() {
        float[] scores = {4.003f, Float.NEGATIVE_INFINITY, 2};
        golden.assertClose("selection_scores", scores, 1e-3);
        assertThatThrownBy(() -> golden.assertClose("selection_scores", scores, 5e-4))
                .hasMessageContainingAll(
                        "toy-1: selection_scores, row 0, element 0",
                        "expected 4.0, found 4.003",
                        "allowed difference: 0.002");
        for (float[] wrong : new float[][] {{4, 0, 2}, {4, -1e30f, Float.NaN}, {4, -1e30f}}) {
            assertThatThrownBy(() -> golden.assertClose("selection_scores", wrong, 1))
                    .isInstanceOf(AssertionError.class)
                    .hasMessageContaining("selection_scores");
        }
    }

    @Test
    void listsTheCasesOfAFolderByName() throws IOException {
        assertThat(GoldenCases.in(folder)).extracting(GoldenCase::name).containsExactly("toy-1");
        assertThat(GoldenCases.in(GoldenCases.OWN)).extracting(GoldenCase::name).isSorted();
        assertThatThrownBy(() -> GoldenCases.in(folder.resolve("toy-1")))
                .hasMessageContaining("there is no golden case");
        assertThatThrownBy(() -> GoldenCases.ofSystems("mixtral", "no-such"))
                .hasMessageContaining("no case of the system no-such");
    }
}
