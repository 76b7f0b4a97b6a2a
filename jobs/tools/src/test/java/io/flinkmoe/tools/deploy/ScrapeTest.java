// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class ScrapeTest {

    private final Scrape scrape =
            new Scrape(
                    """
                    # TYPE flink_a gauge
                    flink_a{job="j",expert="1",} 3.0
                    flink_b{job="j",} 0.0
                    """);

    @Test
    void takesWhatIsThere() {
        assertThat(scrape.errors("sum by (job) (rate(flink_a{expert=~\"$e\"}[5m])) > 1", List.of()))
                .isEmpty();
        assertThat(scrape.errors("flink_a", List.of("expert"))).isEmpty();
        assertThat(scrape.errors("avg by (job) (flink_b{job=~\"$j\"} >= 0)", List.of())).isEmpty();
        assertThat(scrape.errors("absent(flink_b)", List.of())).isEmpty();
    }

    @Test
    void namesWhatIsNot() {
        assertThat(scrape.errors("flink_c", List.of())).containsExactly("nothing reports flink_c");
        assertThat(scrape.errors("up", List.of())).contains("no metric in: up");
        assertThat(scrape.errors("sum by (expert) (flink_b)", List.of()))
                .containsExactly("flink_b has no label expert");
        assertThat(scrape.errors("flink_b{expert=\"1\"}", List.of()))
                .containsExactly("flink_b has no label expert");
        assertThat(scrape.errors("sum by (job) (flink_a)", List.of("expert")))
                .containsExactly("not among the labels of the result: expert");
        assertThat(scrape.errors("total(flink_a)", List.of()))
                .containsExactly("no function: total");
        assertThat(scrape.errors("avg by (job) (flink_b{job=~\"$j\"})", List.of()))
                .containsExactly("NaN spoils the average: compare with >= 0");
    }
}
