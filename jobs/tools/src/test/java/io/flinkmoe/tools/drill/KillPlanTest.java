// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.tools.drill.KillPlan.Kill;
import io.flinkmoe.tools.drill.KillPlan.Moment;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KillPlanTest {

    private static final List<String> TASK_MANAGERS = List.of("taskmanager-1", "taskmanager-2");
    private static final List<String> JOB_MANAGERS = List.of("jobmanager-1");

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, -9})
    void sixKillsHaveOneOfEachKind(long seed) {
        List<Kill> plan = plan(seed, 6);

        assertThat(plan).filteredOn(kill -> kill.victims().size() == 2).hasSize(1);
        assertThat(plan).filteredOn(kill -> kill.moment() == Moment.CHECKPOINT).hasSize(1);
        assertThat(plan).filteredOn(kill -> kill.moment() == Moment.SAVEPOINT).hasSize(1);
        assertThat(plan)
                .filteredOn(kill -> kill.moment() == Moment.ANY && kill.victims().size() == 1)
                .extracting(kill -> kill.victims().get(0).split("-")[0])
                .containsExactlyInAnyOrder("taskmanager", "jobmanager", "kafka");
        assertThat(plan).allMatch(kill -> kill.delay() >= 0 && kill.delay() < 1);
    }

    @Test
    void seedDecides() {
        assertThat(plan(1, 20)).isEqualTo(plan(1, 20)).isNotEqualTo(plan(2, 20));
        assertThat(plan(1, 20)).startsWith(plan(1, 7).toArray(Kill[]::new));
    }

    @Test
    void sevenKillsHaveAPauseOfATaskManagerToo() {
        List<Kill> plan = KillPlan.of(1, 7, true, TASK_MANAGERS, JOB_MANAGERS);

        assertThat(plan(1, 20)).noneMatch(Kill::pauses);
        assertThat(plan)
                .filteredOn(Kill::pauses)
                .singleElement()
                .satisfies(
                        kill -> {
                            assertThat(kill.moment()).isEqualTo(Moment.ANY);
                            assertThat(kill.victims()).hasSize(1);
                            assertThat(TASK_MANAGERS).containsAll(kill.victims());
                        });
    }

    private static List<Kill> plan(long seed, int kills) {
        return KillPlan.of(seed, kills, false, TASK_MANAGERS, JOB_MANAGERS);
    }
}
