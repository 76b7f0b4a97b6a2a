// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.options;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.scoring.cli.JobOptions;
import io.flinkmoe.tools.Home;
import org.junit.jupiter.api.Test;

class OptionPageTest {

    @Test
    void thePageOfOptionsIsUpToDate() throws Exception {
        assertThat(Home.ROOT.resolve("deploy/OPTIONS.md"))
                .as("to be replaced by the output of `deploy/bin/moe options`")
                .content()
                .isEqualTo(OptionPage.markdown());
    }

    @Test
    void everyOptionHasADescription() {
        assertThat(JobOptions.all())
                .isNotEmpty()
                .allSatisfy(option -> assertThat(option.description()).isNotBlank())
                .allSatisfy(option -> assertThat(option.key()).startsWith("moe."));
    }

    @Test
    void everyOptionIsInOneSection() {
        assertThat(JobOptions.all())
                .allSatisfy(
                        option ->
                                assertThat(OptionPage.Section.values())
                                        .filteredOn(section -> section.covers(option))
                                        .hasSize(1));
        assertThat(OptionPage.markdown().lines().filter(line -> line.startsWith("| `moe.")))
                .hasSameSizeAs(JobOptions.all());
    }

    @Test
    void defaultsAreWrittenAsAUserWould() {
        assertThat(OptionPage.markdown())
                .contains("| `moe.source.max-out-of-orderness` | `5 s` |")
                .contains("| `moe.sink.delivery` | `exactly-once` |")
                .contains("| `moe.bundle` |  |");
    }

    @Test
    void allowedValuesAreWrittenAsAUserWould() {
        assertThat(OptionPage.markdown())
                .contains("| `moe.capacity.policy` | `none` | `none`, `fixed`, `factor` |")
                .contains(
                        "| `moe.sink.delivery` | `exactly-once` | `exactly-once`, `idempotent`,"
                                + " `at-least-once` |")
                .contains("| `moe.expert.batch.padding` | `false` | `true`, `false` |")
                .contains("| `moe.batch.size` | `256` | a whole number |")
                .contains("| `moe.schema` |  | a list |");
    }
}
