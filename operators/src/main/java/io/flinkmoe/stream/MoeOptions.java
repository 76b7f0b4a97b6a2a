package io.flinkmoe.stream;

import static org.apache.flink.configuration.ConfigOptions.key;

import java.time.Duration;
import org.apache.flink.configuration.ConfigOption;

/** The options of the MoE layers. Keys are the same on the command line, in YAML and in code. */
public final class MoeOptions {

    private MoeOptions() {}

    public static final ConfigOption<String> BUNDLE =
            key("moe.bundle")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The model bundle: a directory with model.json, as a path or as a URI"
                                    + " of any file system that Flink knows.");

    public static final ConfigOption<Integer> LANES =
            key("moe.lanes")
                    .intType()
                    .defaultValue(16)
                    .withDescription(
                            "Lanes that streams are spread over: the most that router and combine"
                                    + " scale to. Fixed for the life of the state.");

    public static final ConfigOption<Integer> BATCH_SIZE =
            key("moe.batch.size")
                    .intType()
                    .defaultValue(256)
                    .withDescription("Tokens of one lane that are gathered into a block.");

    public static final ConfigOption<Duration> BATCH_LINGER =
            key("moe.batch.linger")
                    .durationType()
                    .defaultValue(Duration.ofMillis(5))
                    .withDescription("How long a token waits at most for its block to fill.");

    public static final ConfigOption<Integer> EXPERT_BATCH_SIZE =
            key("moe.expert.batch.size")
                    .intType()
                    .defaultValue(256)
                    .withDescription("Rows that an expert runs at most in one call.");

    public static final ConfigOption<Duration> EXPERT_BATCH_LINGER =
            key("moe.expert.batch.linger")
                    .durationType()
                    .defaultValue(Duration.ofMillis(2))
                    .withDescription("How long rows wait at most for an expert's call to fill.");

    public static final ConfigOption<Integer> EXPERT_PARALLELISM =
            key("moe.expert.parallelism")
                    .intType()
                    .noDefaultValue()
                    .withDescription(
                            "Subtasks that the experts of a layer are spread over, at most N."
                                    + " Default: the job's parallelism.");

    public static final ConfigOption<OnError> EXPERT_ON_ERROR =
            key("moe.expert.on-error")
                    .enumType(OnError.class)
                    .defaultValue(OnError.FAIL)
                    .withDescription(
                            "What a run that throws does: fail the job, or leave its rows with"
                                    + " their residual, marked FAILED.");

    public static final ConfigOption<CapacityPolicy> CAPACITY =
            key("moe.capacity.policy")
                    .enumType(CapacityPolicy.class)
                    .defaultValue(CapacityPolicy.NONE)
                    .withDescription(
                            "How many tokens of a window an expert runs: all (none), or at most"
                                    + " moe.capacity.tokens (fixed), first come, first served.");

    public static final ConfigOption<Integer> CAPACITY_TOKENS =
            key("moe.capacity.tokens")
                    .intType()
                    .noDefaultValue()
                    .withDescription("Tokens per expert and window under the policy 'fixed'.");

    public static final ConfigOption<Duration> CAPACITY_WINDOW_SIZE =
            key("moe.capacity.window.size")
                    .durationType()
                    .defaultValue(Duration.ofMinutes(1))
                    .withDescription(
                            "Size of the tumbling event-time windows that capacity is counted in,"
                                    + " aligned with the epoch. Without capacity there are none.");

    /** What happens when an expert's run throws. */
    public enum OnError {
        FAIL,
        RESIDUAL
    }

    /** How an expert's room in a window is set. */
    public enum CapacityPolicy {
        NONE,
        FIXED
    }
}
