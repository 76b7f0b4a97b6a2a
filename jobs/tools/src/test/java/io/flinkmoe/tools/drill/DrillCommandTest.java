// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Dropless;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.MoeSettings;
import io.flinkmoe.tools.Program;
import io.flinkmoe.tools.flink.Backend;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.StateBackendOptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class DrillCommandTest {

    @Test
    void helpExplainsEveryMode() {
        Program help = Program.run("drill", "--help");

        for (DrillMode mode : DrillMode.values()) {
            assertThat(help.out()).containsPattern("\\R +" + mode + ": [a-z]");
        }
        assertThat(help.out()).contains("--unaligned", "--backend");
    }

    @ParameterizedTest
    @CsvSource({
        "--mode=all, dropless",
        "'--mode=dropless,all', next-expert",
        "--backend=disk, rocksdb",
        "--rescale=9, allowed: 1 to 8",
        "--kills=-1, allowed: 0 or more",
        "--delivery=twice, 'exactly-once, idempotent'",
        "--delivery=at-least-once, 'exactly-once, idempotent'",
    })
    void refusesWhatDoesNotExistAndNamesWhatDoes(String option, String named) {
        Program drill = Program.run("drill", option);

        assertThat(drill.exitCode()).isEqualTo(2);
        assertThat(drill.err()).contains(option.substring(0, option.indexOf('=')), named);
        assertThat(drill.out()).isEmpty();
    }

    @Test
    void arrivalMustNotDecideWhatIsWrittenAgain() {
        Program drill = Program.run("drill", "--delivery=idempotent", "--mode=first-come");

        assertThat(drill.exitCode()).isEqualTo(2);
        assertThat(drill.err()).contains("--mode has first-come; allowed with --delivery idemp");
    }

    @ParameterizedTest
    @EnumSource(DrillMode.class)
    void modeSetsTheCapacityThatItsNameSays(DrillMode mode) {
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, "bundle");
        mode.configure(options);

        MoeSettings settings = MoeSettings.of(options);

        Class<? extends Capacity> expected =
                switch (mode) {
                    case DROPLESS, REPLICATED -> Dropless.class;
                    case FIRST_COME -> FirstCome.class;
                    case PRIORITIZED, NEXT_EXPERT -> AtWindowClose.class;
                };
        assertThat(settings.capacity()).isInstanceOf(expected);
        assertThat(settings.capacity().overflowRounds())
                .isEqualTo(mode == DrillMode.NEXT_EXPERT ? 1 : 0);
        assertThat(settings.isReplicated()).isEqualTo(mode == DrillMode.REPLICATED);
    }

    @Test
    void firstComeIsCheckedWithTheCapacityThatTheJobHas() {
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, "bundle");
        DrillMode.FIRST_COME.configure(options);

        assertThat(DrillMode.FIRST_COME.rule())
                .isEqualTo(
                        new FirstComeAnswers(
                                options.get(MoeOptions.CAPACITY_WINDOW_SIZE),
                                options.get(MoeOptions.CAPACITY_SIZE)));
    }

    @ParameterizedTest
    @CsvSource({"HEAP, hashmap, false", "ROCKSDB, rocksdb, true"})
    void backendSetsFlinksOptions(Backend backend, String type, boolean incremental) {
        Configuration options = new Configuration();

        backend.configure(options);

        assertThat(options.get(StateBackendOptions.STATE_BACKEND)).isEqualTo(type);
        assertThat(options.get(CheckpointingOptions.INCREMENTAL_CHECKPOINTS))
                .isEqualTo(incremental);
    }
}
