package io.flinkmoe.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import org.junit.jupiter.api.Test;

class OptionTableTest {

    private static final String BEGIN = "<!-- options:begin -->\n";
    private static final String END = "<!-- options:end -->";

    @Test
    void readmeHoldsTheTableOfAllOptions() throws Exception {
        String readme = Files.readString(Home.ROOT.resolve("README.md"));

        assertThat(readme).contains(BEGIN, END);
        String table =
                readme.substring(readme.indexOf(BEGIN) + BEGIN.length(), readme.indexOf(END));
        assertThat(table.strip())
                .as(
                        "the table of options in README.md, to be replaced by the output of"
                                + " `deploy/bin/moe options`")
                .isEqualTo(OptionTable.markdown().strip());
    }

    @Test
    void everyOptionHasADescription() {
        assertThat(JobOptions.all())
                .isNotEmpty()
                .allSatisfy(option -> assertThat(option.description()).isNotBlank())
                .allSatisfy(option -> assertThat(option.key()).startsWith("moe."));
    }

    @Test
    void defaultsAreWrittenAsAUserWould() {
        assertThat(OptionTable.markdown())
                .contains("| `moe.batch.linger` | `5 ms` |")
                .contains("| `moe.sink.delivery` | `exactly-once` |")
                .contains("| `moe.bundle` |  |");
    }
}
