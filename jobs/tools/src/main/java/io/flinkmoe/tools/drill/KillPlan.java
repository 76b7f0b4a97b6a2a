package io.flinkmoe.tools.drill;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.apache.flink.annotation.Internal;

/** Who is killed, and when: a seed decides it. Six kills have one of each kind. */
@Internal
final class KillPlan {

    /** Stands for the Kafka broker among the names of a cluster's processes. */
    static final String BROKER = "kafka";

    private KillPlan() {}

    /** What the job is doing when the kill comes. */
    enum Moment {
        ANY,
        CHECKPOINT,
        SAVEPOINT
    }

    /**
     * @param victims names of processes; two die at once
     * @param delay a share from 0 to 1: of the pause before, or of the checkpoint's usual duration
     */
    record Kill(Moment moment, List<String> victims, double delay) {}

    private enum Kind {
        TASK_MANAGER,
        JOB_MANAGER,
        BROKER,
        TWO,
        DURING_CHECKPOINT,
        DURING_SAVEPOINT
    }

    static List<Kill> of(
            long seed, int kills, List<String> taskManagers, List<String> jobManagers) {
        Random random = new Random(seed);
        List<String> all = new ArrayList<>(taskManagers);
        all.addAll(jobManagers);
        all.add(BROKER);
        List<Kind> kinds = new ArrayList<>();
        List<Kill> plan = new ArrayList<>();
        while (plan.size() < kills) {
            if (kinds.isEmpty()) {
                kinds.addAll(Arrays.asList(Kind.values()));
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
                        case TASK_MANAGER -> taskManagers;
                        case JOB_MANAGER -> jobManagers;
                        case BROKER -> List.of(BROKER);
                        default -> all;
                    };
            List<String> victims = new ArrayList<>(candidates);
            Collections.shuffle(victims, random);
            int number = kind == Kind.TWO ? 2 : 1;
            plan.add(
                    new Kill(moment, List.copyOf(victims.subList(0, number)), random.nextDouble()));
        }
        return plan;
    }
}
