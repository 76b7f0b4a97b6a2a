// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import org.apache.flink.annotation.Internal;

/**
 * Decides which processes are killed or paused, and when, from a seed. Six kills include one of
 * each kind, or seven if processes are paused, too.
 */
@Internal
final class KillPlan {

    /** The name of the Kafka broker among the names of processes. */
    static final String BROKER = "kafka";

    private KillPlan() {}

    /** What the job is doing at the time of a kill. */
    enum Moment {
        ANY,
        CHECKPOINT,
        SAVEPOINT
    }

    /**
     * @param victims the names of the processes to kill at once
     * @param delay from 0 to 1: a share of the pause before the kill, or of the usual duration of a
     *     checkpoint
     * @param pauses whether the process is paused until it is replaced, instead of being killed
     */
    record Kill(Moment moment, List<String> victims, double delay, boolean pauses) {}

    private enum Kind {
        TASK_MANAGER,
        JOB_MANAGER,
        BROKER,
        TWO,
        DURING_CHECKPOINT,
        DURING_SAVEPOINT,
        PAUSE
    }

    /**
     * @param pauses whether task managers are paused, too
     */
    static List<Kill> of(
            long seed,
            int kills,
            boolean pauses,
            List<String> taskManagers,
            List<String> jobManagers) {
        Random random = new Random(seed);
        List<String> all = new ArrayList<>(taskManagers);
        all.addAll(jobManagers);
        all.add(BROKER);
        List<Kind> kinds = new ArrayList<>();
        List<Kill> plan = new ArrayList<>();
        while (plan.size() < kills) {
            if (kinds.isEmpty()) {
                kinds.addAll(EnumSet.range(Kind.TASK_MANAGER, Kind.DURING_SAVEPOINT));
                if (pauses) {
                    kinds.add(Kind.PAUSE);
                }
                Collections.shuffle(kinds, random);
            }
            Kind kind = kinds.remove(0);
            Moment moment =
                    switch (kind) {
                        case DURING_CHECKPOINT -> Moment.CHECKPOINT;
                        case DURING_SAVEPOINT -> Moment.SAVEPOINT;
                        default -> Moment.ANY;
                    };
            List<String> candidates =
                    switch (kind) {
                        case TASK_MANAGER, PAUSE -> taskManagers;
                        case JOB_MANAGER -> jobManagers;
                        case BROKER -> List.of(BROKER);
                        default -> all;
                    };
            List<String> victims = new ArrayList<>(candidates);
            Collections.shuffle(victims, random);
            int number = kind == Kind.TWO ? 2 : 1;
            plan.add(
                    new Kill(
                            moment,
                            List.copyOf(victims.subList(0, number)),
                            random.nextDouble(),
                            kind == Kind.PAUSE));
        }
        return plan;
    }
}
