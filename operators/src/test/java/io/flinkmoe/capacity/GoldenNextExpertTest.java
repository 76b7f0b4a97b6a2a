package io.flinkmoe.capacity;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.TopKRouter;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** No-Token-Left-Behind as published, and its sequential form. */
class GoldenNextExpertTest {

    static List<CapacityCase> nextExpertCases() throws IOException {
        return CapacityCase.all("next_expert"::equals);
    }

    @ParameterizedTest
    @MethodSource("nextExpertCases")
    void findsTheNextExpertAsThePublishedCode(CapacityCase c) throws IOException {
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
                assertThat(CapacityCase.dropped(byRounds.slot()))
                        .isEqualTo(Arrays.copyOfRange(tensors.ints("topk_dropped"), at, end));
                assertPlaces(
                        tensors, "sequential.", at, end, sequential, sequential.weights(scored, k));
                CapacityCase.add(admitted, byRounds.tokensPerExpert());
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
        CapacityCase.assertWeights(
                weights, Arrays.copyOfRange(tensors.floats(answer + "topk_weights"), at, end));
    }
}
