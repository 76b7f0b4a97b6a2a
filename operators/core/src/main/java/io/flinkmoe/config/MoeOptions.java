package io.flinkmoe.config;

import static org.apache.flink.configuration.ConfigOptions.key;

import io.flinkmoe.capacity.Admission;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.WeightRule;
import java.time.Duration;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.DescribedEnum;
import org.apache.flink.configuration.description.InlineElement;
import org.apache.flink.configuration.description.TextElement;

/** The options of the MoE layers. Keys are the same on the command line, in YAML and in code. */
@PublicEvolving
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
                    .withDescription(
                            "How long rows wait for an expert's call to fill, once no more input"
                                    + " waits. While more does, they may wait longer: big calls are"
                                    + " what makes experts fast.");

    public static final ConfigOption<Boolean> EXPERT_BATCH_PADDING =
            key("moe.expert.batch.padding")
                    .booleanType()
                    .defaultValue(false)
                    .withDescription(
                            "Whether every call is filled up to its most rows: for devices on which"
                                    + " the bits of an answer depend on the size of the call.");

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
                            "How many choices of a window an expert runs: all (none), at most"
                                    + " moe.capacity.size (fixed), or a share of the window's"
                                    + " tokens by moe.capacity.factor (factor).");

    public static final ConfigOption<Integer> CAPACITY_SIZE =
            key("moe.capacity.size")
                    .intType()
                    .noDefaultValue()
                    .withDescription("Choices per expert and window under the policy 'fixed'.");

    public static final ConfigOption<Admission> CAPACITY_ADMISSION =
            key("moe.capacity.admission")
                    .enumType(Admission.class)
                    .defaultValue(Admission.FIRST_COME)
                    .withDescription(
                            "When it is decided who finds room: as tokens come (first-come), or when"
                                    + " the window closes, by its content alone (prioritized)."
                                    + " Prioritized admission holds a window's tokens in state. Fixed for the"
                                    + " life of the state.");

    public static final ConfigOption<AdmissionOrder> CAPACITY_ORDER =
            key("moe.capacity.order")
                    .enumType(AdmissionOrder.class)
                    .defaultValue(AdmissionOrder.POSITION)
                    .withDescription(
                            "Who comes first in prioritized admission: all first choices, then all"
                                    + " second ones, in order of the tokens (position), or of their"
                                    + " best scores (token-priority: batch-prioritized routing); or"
                                    + " the highest score with the expert, ranks mixed (gate-score),"
                                    + " or a draw seeded by the token in its place (random)."
                                    + " Equals: by timestamp, stream, position.");

    public static final ConfigOption<Double> CAPACITY_FACTOR =
            key("moe.capacity.factor")
                    .doubleType()
                    .noDefaultValue()
                    .withDescription(
                            "The capacity factor CF under the policy 'factor', for windows of T"
                                    + " tokens that are not late, N experts and k choices per token:"
                                    + " by default an expert runs ceil(T * k * CF / N) choices, so"
                                    + " that 1 is exactly enough for a balanced load. Needs"
                                    + " prioritized admission.");

    public static final ConfigOption<Boolean> CAPACITY_FACTOR_TIMES_K =
            key("moe.capacity.factor-times-k")
                    .booleanType()
                    .defaultValue(true)
                    .withDescription(
                            "Whether the T * k choices share the room under the policy 'factor', or"
                                    + " the T tokens: K is k or 1 in moe.capacity.arithmetic.");

    public static final ConfigOption<CapacityFormula.Arithmetic> CAPACITY_ARITHMETIC =
            key("moe.capacity.arithmetic")
                    .enumType(CapacityFormula.Arithmetic.class)
                    .defaultValue(CapacityFormula.Arithmetic.PRODUCT)
                    .withDescription(
                            "Order and precision of the operations under the policy 'factor', []"
                                    + " being the rounding: [T * K * CF / N] (product),"
                                    + " [(T * K / N) * CF] (quotient), [(T / N) * (K * CF)] in"
                                    + " float32 (quotient-float32), [CF * ceil(T / N)] * K"
                                    + " (ceiled-quotient), floor([CF * T] * K / N)"
                                    + " (rounded-product), [CF * T * K] (fraction-of-window).");

    public static final ConfigOption<CapacityFormula.Rounding> CAPACITY_ROUNDING =
            key("moe.capacity.rounding")
                    .enumType(CapacityFormula.Rounding.class)
                    .defaultValue(CapacityFormula.Rounding.CEIL)
                    .withDescription("How a share becomes a whole number; half-even: the nearest.");

    public static final ConfigOption<Integer> CAPACITY_MINIMUM =
            key("moe.capacity.minimum")
                    .intType()
                    .defaultValue(0)
                    .withDescription("The least capacity under the policy 'factor'.");

    public static final ConfigOption<Integer> CAPACITY_MULTIPLE_OF =
            key("moe.capacity.multiple-of")
                    .intType()
                    .defaultValue(1)
                    .withDescription(
                            "Under the policy 'factor' the capacity is raised to a multiple of"
                                    + " this.");

    public static final ConfigOption<Boolean> CAPACITY_AT_MOST_WINDOW =
            key("moe.capacity.at-most-window")
                    .booleanType()
                    .defaultValue(false)
                    .withDescription(
                            "Whether the share under the policy 'factor' is limited to the window's"
                                    + " tokens, before minimum and multiple apply.");

    public static final ConfigOption<WeightRule> CAPACITY_WEIGHTS =
            key("moe.capacity.weights")
                    .enumType(WeightRule.class)
                    .defaultValue(WeightRule.ROUTER)
                    .withDescription(
                            "What the executed choices of a token weigh: what the router says"
                                    + " (router), that divided by its sum, so that they share all"
                                    + " the weight (survivors: DeepSpeed top-k, NLLB, GShard;"
                                    + " refused where the model scales its weights), or a softmax"
                                    + " over the window's choices of the expert, divided by the"
                                    + " experts that took the token (window: expert choice of Mesh"
                                    + " TensorFlow; prioritized admission in order gate-score).");

    public static final ConfigOption<OverflowPolicy> OVERFLOW =
            key("moe.overflow.policy")
                    .enumType(OverflowPolicy.class)
                    .defaultValue(OverflowPolicy.RESIDUAL)
                    .withDescription(
                            "What becomes of a choice that its expert has no room for: the token"
                                    + " keeps its residual (residual), or the token's next most"
                                    + " probable expert is tried when the window closes"
                                    + " (next-expert: No-Token-Left-Behind, for any k).");

    public static final ConfigOption<Integer> OVERFLOW_ROUNDS =
            key("moe.overflow.rounds")
                    .intType()
                    .defaultValue(1)
                    .withDescription(
                            "How often overflow tries a next expert under the policy 'next-expert';"
                                    + " in round r choice j of k tries the expert of rank j + r * k."
                                    + " Each round is one more expert operator. Fixed for the life of the"
                                    + " state.");

    public static final ConfigOption<Duration> CAPACITY_WINDOW_SIZE =
            key("moe.capacity.window.size")
                    .durationType()
                    .defaultValue(Duration.ofMinutes(1))
                    .withDescription(
                            "Size of the tumbling event-time windows that capacity is counted in,"
                                    + " aligned with the epoch. Without capacity there are none. Fixed for the"
                                    + " life of the state.");

    /** What happens when an expert's run throws. */
    public enum OnError {
        FAIL,
        RESIDUAL
    }

    /** How an expert's room in a window is set. */
    public enum CapacityPolicy {
        NONE,
        FIXED,
        FACTOR
    }

    /** What becomes of a choice that finds no room. */
    public enum OverflowPolicy implements DescribedEnum {
        RESIDUAL("residual", "the token keeps its residual, the expert adds nothing"),
        NEXT_EXPERT("next-expert", "it tries the token's next most probable expert");

        private final String name;
        private final String description;

        OverflowPolicy(String name, String description) {
            this.name = name;
            this.description = description;
        }

        @Override
        public InlineElement getDescription() {
            return TextElement.text(description);
        }

        /** As options write it. */
        @Override
        public String toString() {
            return name;
        }
    }
}
