// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.config;

import static org.apache.flink.configuration.ConfigOptions.key;

import io.flinkmoe.capacity.AdmissionMode;
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
                            "The model bundle: a directory that contains model.json. Give a"
                                    + " path, or a URI of any file system that Flink supports.");

    public static final ConfigOption<Integer> LANES =
            key("moe.lanes")
                    .intType()
                    .defaultValue(16)
                    .withDescription(
                            "The number of lanes. Each stream is hashed to one lane, and one"
                                    + " subtask processes all records of a lane. This is the maximum"
                                    + " parallelism of router and combine. Cannot be changed when"
                                    + " restoring from a checkpoint or savepoint.");

    public static final ConfigOption<Integer> BATCH_SIZE =
            key("moe.batch.size")
                    .intType()
                    .defaultValue(256)
                    .withDescription(
                            "The largest number of tokens in a block. A block contains tokens"
                                    + " of one lane.");

    public static final ConfigOption<LatencyProfile> LATENCY =
            key("moe.latency")
                    .enumType(LatencyProfile.class)
                    .defaultValue(LatencyProfile.BALANCED)
                    .withDescription(
                            "How long data may wait for more of it: 'low' for answers within"
                                    + " milliseconds, 'throughput' for the highest rate, or"
                                    + " 'balanced'. Sets the defaults of moe.batch.linger (2, 5 or 20"
                                    + " ms), moe.expert.batch.linger (0, 2 or 10 ms),"
                                    + " execution.buffer-timeout.interval (1, 20 or 100 ms) and, in"
                                    + " the scoring job, linger.ms of the Kafka producers (1, 5 or"
                                    + " 20).");

    public static final ConfigOption<Duration> BATCH_LINGER =
            key("moe.batch.linger")
                    .durationType()
                    .noDefaultValue()
                    .withDescription(
                            "The longest time that a token waits for its block to fill."
                                    + " Default: set by moe.latency.");

    public static final ConfigOption<Integer> EXPERT_BATCH_SIZE =
            key("moe.expert.batch.size")
                    .intType()
                    .defaultValue(256)
                    .withDescription("The largest number of rows in one call of an expert.");

    public static final ConfigOption<Duration> EXPERT_BATCH_LINGER =
            key("moe.expert.batch.linger")
                    .durationType()
                    .noDefaultValue()
                    .withDescription(
                            "The time that rows wait for their expert's call to fill. While"
                                    + " more input is queued, a call that is not full is postponed by"
                                    + " this time again, up to 8 times, because large calls are faster"
                                    + " per row. Default: set by moe.latency.");

    public static final ConfigOption<Boolean> EXPERT_BATCH_PADDING =
            key("moe.expert.batch.padding")
                    .booleanType()
                    .defaultValue(false)
                    .withDescription(
                            "Pads every call to moe.expert.batch.size rows. Use it on devices"
                                    + " where the bits of a row's result depend on the size of the"
                                    + " call.");

    public static final ConfigOption<Integer> EXPERT_PARALLELISM =
            key("moe.expert.parallelism")
                    .intType()
                    .noDefaultValue()
                    .withDescription(
                            "The number of subtasks that run the experts of a layer, at most N."
                                    + " Default: the job's parallelism.");

    public static final ConfigOption<OnError> EXPERT_ON_ERROR =
            key("moe.expert.on-error")
                    .enumType(OnError.class)
                    .defaultValue(OnError.FAIL)
                    .withDescription(
                            "What happens when a call of an expert throws. 'fail': the job"
                                    + " fails. 'residual': the rows of the call are executed one by"
                                    + " one; the choices of rows that throw are FAILED and add nothing.");

    public static final ConfigOption<CapacityPolicy> CAPACITY =
            key("moe.capacity.policy")
                    .enumType(CapacityPolicy.class)
                    .defaultValue(CapacityPolicy.NONE)
                    .withDescription(
                            "How many choices of a window an expert executes. 'none': all of"
                                    + " them. 'fixed': at most moe.capacity.size. 'factor': a share of"
                                    + " the window's tokens, computed from moe.capacity.factor. When"
                                    + " restoring from a checkpoint or savepoint, a capacity can be"
                                    + " added but not removed.");

    public static final ConfigOption<Integer> CAPACITY_SIZE =
            key("moe.capacity.size")
                    .intType()
                    .noDefaultValue()
                    .withDescription(
                            "The largest number of choices that an expert executes per window."
                                    + " Requires moe.capacity.policy: fixed.");

    public static final ConfigOption<AdmissionMode> CAPACITY_ADMISSION =
            key("moe.capacity.admission")
                    .enumType(AdmissionMode.class)
                    .defaultValue(AdmissionMode.FIRST_COME)
                    .withDescription(
                            "When experts decide which choices they admit. 'first-come' decides"
                                    + " when a token arrives, so the order of arrival matters."
                                    + " 'prioritized' decides when the window closes, by the contents"
                                    + " of the window alone, and keeps the window's tokens in state"
                                    + " until then. Cannot be changed when restoring from a checkpoint"
                                    + " or savepoint.");

    public static final ConfigOption<AdmissionOrder> CAPACITY_ORDER =
            key("moe.capacity.order")
                    .enumType(AdmissionOrder.class)
                    .defaultValue(AdmissionOrder.POSITION)
                    .withDescription(
                            "The order of prioritized admission. 'position': all first choices,"
                                    + " then all second choices, each in the order of the tokens."
                                    + " 'token-priority': the same, but tokens are sorted by the score"
                                    + " of their first choice (batch-prioritized routing)."
                                    + " 'gate-score': all choices by their score, whatever their rank."
                                    + " 'random': all choices by a random draw that is seeded by the"
                                    + " token. Ties are decided by timestamp, stream and position."
                                    + " Cannot be changed when restoring from a checkpoint or"
                                    + " savepoint.");

    public static final ConfigOption<Double> CAPACITY_FACTOR =
            key("moe.capacity.factor")
                    .doubleType()
                    .noDefaultValue()
                    .withDescription(
                            "The capacity factor CF. With T tokens in the window that are not"
                                    + " late, N experts and k choices per token, an expert executes ceil(T"
                                    + " * k * CF / N) choices by default, so a factor of 1 is exactly"
                                    + " enough for a balanced load. Requires moe.capacity.policy: factor"
                                    + " and moe.capacity.admission: prioritized.");

    public static final ConfigOption<Boolean> CAPACITY_FACTOR_TIMES_K =
            key("moe.capacity.factor-times-k")
                    .booleanType()
                    .defaultValue(true)
                    .withDescription(
                            "Whether the capacity is a share of all T * k choices of the"
                                    + " window. If false, it is a share of the T tokens. This is the K of"
                                    + " moe.capacity.arithmetic: k or 1. Requires moe.capacity.policy:"
                                    + " factor.");

    public static final ConfigOption<CapacityFormula.Arithmetic> CAPACITY_ARITHMETIC =
            key("moe.capacity.arithmetic")
                    .enumType(CapacityFormula.Arithmetic.class)
                    .defaultValue(CapacityFormula.Arithmetic.PRODUCT)
                    .withDescription(
                            "The order and the precision of the capacity formula under"
                                    + " moe.capacity.policy: factor; [] is the rounding. 'product': [T * K"
                                    + " * CF / N]. 'quotient': [(T * K / N) * CF]. 'quotient-float32': [(T"
                                    + " / N) * (K * CF)] in float32. 'ceiled-quotient': [CF * ceil(T / N)]"
                                    + " * K. 'rounded-product': floor([CF * T] * K / N)."
                                    + " 'fraction-of-window': [CF * T * K].");

    public static final ConfigOption<CapacityFormula.Rounding> CAPACITY_ROUNDING =
            key("moe.capacity.rounding")
                    .enumType(CapacityFormula.Rounding.class)
                    .defaultValue(CapacityFormula.Rounding.CEIL)
                    .withDescription(
                            "How the capacity is rounded to a whole number under"
                                    + " moe.capacity.policy: factor. 'half-even' rounds to the nearest"
                                    + " number.");

    public static final ConfigOption<Integer> CAPACITY_MINIMUM =
            key("moe.capacity.minimum")
                    .intType()
                    .defaultValue(0)
                    .withDescription("The smallest capacity under moe.capacity.policy: factor.");

    public static final ConfigOption<Integer> CAPACITY_MULTIPLE_OF =
            key("moe.capacity.multiple-of")
                    .intType()
                    .defaultValue(1)
                    .withDescription(
                            "The capacity is raised to a multiple of this number under"
                                    + " moe.capacity.policy: factor.");

    public static final ConfigOption<Boolean> CAPACITY_AT_MOST_WINDOW =
            key("moe.capacity.at-most-window")
                    .booleanType()
                    .defaultValue(false)
                    .withDescription(
                            "Whether the capacity is limited to the number of tokens in the"
                                    + " window before moe.capacity.minimum and moe.capacity.multiple-of"
                                    + " apply. Requires moe.capacity.policy: factor.");

    public static final ConfigOption<WeightRule> CAPACITY_WEIGHTS =
            key("moe.capacity.weights")
                    .enumType(WeightRule.class)
                    .defaultValue(WeightRule.ROUTER)
                    .withDescription(
                            "The weights of the executed choices of a token. 'router': the"
                                    + " router's weights. 'survivors': the router's weights divided by"
                                    + " their sum over the executed choices (DeepSpeed top-k, NLLB,"
                                    + " GShard). 'window': a softmax over all choices of the expert in"
                                    + " the window, divided by the number of experts that execute the"
                                    + " token (expert choice of Mesh TensorFlow); requires prioritized"
                                    + " admission in the order gate-score. The model's"
                                    + " routed_scaling_factor and expert_scale multiply the result of"
                                    + " each rule. Cannot be changed when restoring from a checkpoint or"
                                    + " savepoint.");

    public static final ConfigOption<OverflowPolicy> OVERFLOW =
            key("moe.overflow.policy")
                    .enumType(OverflowPolicy.class)
                    .defaultValue(OverflowPolicy.RESIDUAL)
                    .withDescription(
                            "What happens to a choice that exceeds its expert's capacity."
                                    + " 'residual': the choice adds nothing, and the token keeps its"
                                    + " residual. 'next-expert': the choice is rerouted to the token's"
                                    + " next most probable expert when the window closes"
                                    + " (No-Token-Left-Behind). Cannot be changed when restoring from a"
                                    + " checkpoint or savepoint.");

    public static final ConfigOption<Integer> OVERFLOW_ROUNDS =
            key("moe.overflow.rounds")
                    .intType()
                    .defaultValue(1)
                    .withDescription(
                            "The number of times that an overflowed choice is rerouted. Choice"
                                    + " j (0 to k - 1) tries, in round r (1, 2, ...), the expert of"
                                    + " rank j + r * k; ranks start at 0. Each round adds one expert"
                                    + " operator per layer. Requires moe.overflow.policy: next-expert."
                                    + " Cannot be changed when restoring from a checkpoint or"
                                    + " savepoint.");

    public static final ConfigOption<Duration> CAPACITY_WINDOW_SIZE =
            key("moe.capacity.window.size")
                    .durationType()
                    .defaultValue(Duration.ofMinutes(1))
                    .withDescription(
                            "The size of the tumbling event-time windows in which capacity is"
                                    + " counted. Windows are aligned with the epoch. Requires a"
                                    + " capacity. Cannot be changed when restoring from a checkpoint or"
                                    + " savepoint.");

    /** What happens when a call of an expert throws. */
    public enum OnError {
        FAIL,
        RESIDUAL
    }

    /** How the capacity of an expert in a window is set. */
    public enum CapacityPolicy {
        NONE,
        FIXED,
        FACTOR
    }

    /** What happens to a choice that exceeds its expert's capacity. */
    public enum OverflowPolicy implements DescribedEnum {
        RESIDUAL("residual", "the choice adds nothing and the token keeps its residual"),
        NEXT_EXPERT(
                "next-expert", "the choice is rerouted to the token's next most probable expert");

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

        /** The value of the option. */
        @Override
        public String toString() {
            return name;
        }
    }
}
