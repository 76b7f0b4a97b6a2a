// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import static io.flinkmoe.testing.MoeAssertions.assertThat;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import java.nio.file.Path;
import java.util.List;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OperatorHarnessesTest {

    /** One operator after the other, as a job chains them. */
    @Test
    void carryTokensThroughALayer(@TempDir Path folder) throws Exception {
        List<Token> tokens = TestTokens.of("card-1", 20, 4);
        OperatorHarnesses harnesses =
                OperatorHarnesses.of(
                        TinyBundle.builder()
                                .experts(FixedExperts.constant(1))
                                .outputSize(2)
                                .writeTo(folder)
                                .options());

        List<TokenBlock> blocks;
        try (var ingest = harnesses.ingest()) {
            for (Token token : tokens) {
                ingest.processElement(new StreamRecord<>(Arrival.of(token)));
            }
            ingest.prepareSnapshotPreBarrier(1);
            blocks = ingest.extractOutputValues();
        }
        List<ExpertRows> rows;
        List<RoutedBlock> routed;
        try (RouterHarness router = harnesses.router(0)) {
            router.send(blocks.toArray(TokenBlock[]::new));
            rows = router.rows();
            routed = router.routed();
        }
        List<ContributionBlock> answers;
        try (ExpertHarness expert = harnesses.expert(0)) {
            expert.send(rows.toArray(ExpertRows[]::new));
            expert.setProcessingTime(1_000); // The linger is over.
            answers = expert.extractOutputValues();
        }
        List<TokenBlock> combined;
        try (CombineHarness combine = harnesses.combine(0)) {
            combine.send(routed.toArray(RoutedBlock[]::new));
            combine.send(answers.toArray(ContributionBlock[]::new));
            combined = combine.extractOutputValues();
        }
        List<ScoredToken> scored;
        try (var head = harnesses.head()) {
            for (TokenBlock block : combined) {
                head.processElement(new StreamRecord<>(block));
            }
            scored = head.extractOutputValues();
        }

        assertThat(scored).extracting(ScoredToken::position).isEqualTo(positions(tokens));
        assertThat(scored).allSatisfy(token -> assertThat(token).isExecuted());
        assertThat(scored.get(0).values()).hasSize(2);
    }

    private static List<Long> positions(List<Token> tokens) {
        return tokens.stream().map(Token::position).toList();
    }
}
