// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The main class of the job jar, as {@code flink run} calls it. */
class ScoringMainTest {

    private final PrintStream out = System.out;
    private final PrintStream err = System.err;
    private final ByteArrayOutputStream printed = new ByteArrayOutputStream();

    @BeforeEach
    void catchOutput() {
        PrintStream all = new PrintStream(printed, true, StandardCharsets.UTF_8);
        System.setOut(all);
        System.setErr(all);
    }

    @AfterEach
    void giveOutputBack() {
        System.setOut(out);
        System.setErr(err);
    }

    @ParameterizedTest
    @ValueSource(strings = {"score --config none.yaml", "--config none.yaml"})
    void takesOptionsBehindTheWordScoreAndWithoutIt(String arguments) {
        assertThatThrownBy(() -> ScoringMain.main(arguments.split(" ")))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("score ended with exit code 2")
                .hasCauseInstanceOf(IllegalConfigurationException.class);
        assertThat(printed.toString(StandardCharsets.UTF_8))
                .contains("score: --config is 'none.yaml'; there is no such file")
                .contains("See score --help.");
    }

    @Test
    void namesTheOptionThatDoesNotExistButNotItsValue() {
        assertThatThrownBy(() -> ScoringMain.main(new String[] {"score", "--lane=secret"}))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("score ended with exit code 2");
        assertThat(printed.toString(StandardCharsets.UTF_8))
                .contains("score: Unknown option: '--lane'", "--lanes")
                .doesNotContain("secret");
    }

    @Test
    void helpShowsTheOptionsOfTheJob() {
        assertThatCode(() -> ScoringMain.main(new String[] {"score", "--help"}))
                .doesNotThrowAnyException();
        assertThat(printed.toString(StandardCharsets.UTF_8))
                .contains(
                        "Usage: flink run", "--config", "--dry-run", "--bundle", "--source.topic");
    }

    @Test
    void helpBreaksNoKeysAndNamesOfFiles() {
        ScoringMain.main(new String[] {"score", "--help"});

        String help = printed.toString(StandardCharsets.UTF_8);
        for (JobOption option : JobOptions.all()) {
            Matcher word = Pattern.compile("(\\w[\\w.-]*[.-])(\\w+)").matcher(option.description());
            while (word.find()) {
                if (word.group(1).contains(".")) {
                    assertThat(help).doesNotContainPattern(broken(word.group(1), word.group(2)));
                }
            }
        }
    }

    private static String broken(String start, String end) {
        return Pattern.quote(start) + " *\\R +" + Pattern.quote(end);
    }
}
