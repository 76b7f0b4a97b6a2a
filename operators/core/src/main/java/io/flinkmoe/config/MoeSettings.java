// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.config;

import static io.flinkmoe.config.OptionValues.illegal;
import static io.flinkmoe.config.OptionValues.inRange;
import static io.flinkmoe.config.OptionValues.value;

import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.Dropless;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.capacity.Windows;
import java.io.Serializable;
import java.time.Duration;
import java.util.Optional;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;

/**
 * The validated {@link MoeOptions}.
 *
 * @param lanes the number of lanes that streams are hashed to
 * @param batchSize the maximum number of tokens in a block
 * @param batchLinger the longest time that a token waits for its block to fill
 * @param expertBatching how rows are batched into calls of an expert
 * @param expertParallelism the number of subtasks of an expert operator; 0: the job's parallelism
 * @param onError what happens when a call of an expert throws
 * @param capacity how many choices of a window an expert admits
 * @param placement where experts run
 * @param latency how long data may wait for more of it, where no other option says so
 * @param rowByRow whether models whose bits depend on the rows of a call get one row at a time
 */
@Internal
public record MoeSettings(
        int lanes,
        int batchSize,
        Duration batchLinger,
        ExpertBatching expertBatching,
        int expertParallelism,
        MoeOptions.OnError onError,
        Capacity capacity,
        ExpertPlacement placement,
        LatencyProfile latency,
        boolean rowByRow)
        implements Serializable {

    /** The maximum number of key groups in Flink, and therefore of lanes and experts. */
    private static final int MAX_KEY_GROUPS = 1 << 15;

    private static final int MAX_BATCH = 1 << 16;

    /**
     * Reads and checks the options.
     *
     * @throws IllegalConfigurationException if an option is invalid; the message names the key, the
     *     value and what is allowed
     */
    public static MoeSettings of(ReadableConfig options) {
        MoeSettings settings = read(options);
        if (settings.placement.kind() == PlacementOptions.Placement.REPLICATED) {
            settings.reasonNotToReplicate()
                    .ifPresent(
                            reason -> {
                                throw new IllegalConfigurationException(
                                        "%s is replicated, but %s; allowed then: partitioned, auto"
                                                .formatted(
                                                        PlacementOptions.PLACEMENT.key(), reason));
                            });
        }
        return settings;
    }

    private static MoeSettings read(ReadableConfig options) {
        LatencyProfile latency = value(options, MoeOptions.LATENCY);
        return new MoeSettings(
                inRange(options, MoeOptions.LANES, 1, MAX_KEY_GROUPS),
                inRange(options, MoeOptions.BATCH_SIZE, 1, MAX_BATCH),
                linger(options, MoeOptions.BATCH_LINGER, latency.batchLinger()),
                new ExpertBatching(
                        inRange(options, MoeOptions.EXPERT_BATCH_SIZE, 1, MAX_BATCH),
                        linger(
                                options,
                                MoeOptions.EXPERT_BATCH_LINGER,
                                latency.expertBatchLinger()),
                        value(options, MoeOptions.EXPERT_BATCH_PADDING)),
                value(options, MoeOptions.EXPERT_PARALLELISM) == null
                        ? 0
                        : inRange(options, MoeOptions.EXPERT_PARALLELISM, 1, MAX_KEY_GROUPS),
                value(options, MoeOptions.EXPERT_ON_ERROR),
                capacity(options),
                ExpertPlacement.of(options),
                latency,
                value(options, PlacementOptions.ROW_BY_ROW));
    }

    private static Duration linger(
            ReadableConfig options, ConfigOption<Duration> option, Duration ofProfile) {
        return value(options, option) == null ? ofProfile : inRange(options, option, 0);
    }

    /** Whether every subtask runs all experts. */
    public boolean isReplicated() {
        return switch (placement.kind()) {
            case PARTITIONED -> false;
            case REPLICATED -> true;
            case AUTO -> reasonNotToReplicate().isEmpty();
        };
    }

    /** Why all experts cannot run in every subtask; empty if they can. */
    public Optional<String> reasonNotToReplicate() {
        String reason = null;
        if (windows().areBounded()) {
            reason =
                    "%s is set, and an expert counts its capacity in one subtask"
                            .formatted(MoeOptions.CAPACITY.key());
        } else if (expertParallelism > 0) {
            reason =
                    "%s is %d, and the experts run in the subtasks of all other parts"
                            .formatted(MoeOptions.EXPERT_PARALLELISM.key(), expertParallelism);
        } else if (placement.slots() != null) {
            reason =
                    "%s is %s, and the experts run in the slots of all other parts"
                            .formatted(
                                    PlacementOptions.SLOT_SHARING_GROUP.key(),
                                    placement.slots().getName());
        } else if (placement.device().kind() == PlacementOptions.Device.CUDA) {
            reason =
                    "%s is cuda, and every subtask would need the experts in GPU memory"
                            .formatted(PlacementOptions.DEVICE.key());
        }
        return Optional.ofNullable(reason);
    }

    /** The windows in which capacity is counted. */
    public Windows windows() {
        return capacity.windows();
    }

    /** The maximum number of experts that a choice tries. */
    public int attempts() {
        return capacity.attempts();
    }

    private static Capacity capacity(ReadableConfig options) {
        MoeOptions.CapacityPolicy policy = value(options, MoeOptions.CAPACITY);
        if (policy == MoeOptions.CapacityPolicy.NONE) {
            return new Dropless();
        }
        AdmissionMode admission = value(options, MoeOptions.CAPACITY_ADMISSION);
        if (policy == MoeOptions.CapacityPolicy.FACTOR && admission != AdmissionMode.PRIORITIZED) {
            throw new IllegalConfigurationException(
                    "%s is factor, but %s is %s; allowed with it: prioritized, because the number of tokens in a window is not known before it closes"
                            .formatted(
                                    MoeOptions.CAPACITY.key(),
                                    MoeOptions.CAPACITY_ADMISSION.key(),
                                    admission));
        }
        Duration size = inRange(options, MoeOptions.CAPACITY_WINDOW_SIZE, 1);
        WeightRule weightRule = value(options, MoeOptions.CAPACITY_WEIGHTS);
        AdmissionOrder order = value(options, MoeOptions.CAPACITY_ORDER);
        int rounds =
                value(options, MoeOptions.OVERFLOW) == MoeOptions.OverflowPolicy.RESIDUAL
                        ? 0
                        : inRange(options, MoeOptions.OVERFLOW_ROUNDS, 1, Byte.MAX_VALUE);
        checkWeightRule(weightRule, admission, order, rounds);
        TumblingWindows windows = new TumblingWindows(size.toMillis());
        CapacityFormula formula =
                policy == MoeOptions.CapacityPolicy.FIXED ? fixed(options) : byFactor(options);
        return admission == AdmissionMode.FIRST_COME
                ? new FirstCome(windows, formula, order, weightRule, rounds)
                : new AtWindowClose(windows, formula, order, weightRule, rounds);
    }

    private static void checkWeightRule(
            WeightRule rule, AdmissionMode admission, AdmissionOrder order, int rounds) {
        if (!rule.allows(admission, order, rounds)) {
            throw new IllegalConfigurationException(
                    "%s is window, but %s is %s, %s is %s, and there are %d rounds of next-expert overflow; allowed with it: prioritized, gate-score and residual overflow"
                            .formatted(
                                    MoeOptions.CAPACITY_WEIGHTS.key(),
                                    MoeOptions.CAPACITY_ADMISSION.key(),
                                    admission,
                                    MoeOptions.CAPACITY_ORDER.key(),
                                    order,
                                    rounds));
        }
    }

    private static CapacityFormula fixed(ReadableConfig options) {
        if (value(options, MoeOptions.CAPACITY_SIZE) == null) {
            throw new IllegalConfigurationException(
                    "%s is fixed, but %s is not set; give the number of choices that an expert executes per window, 0 or more"
                            .formatted(MoeOptions.CAPACITY.key(), MoeOptions.CAPACITY_SIZE.key()));
        }
        return CapacityFormula.fixed(
                inRange(options, MoeOptions.CAPACITY_SIZE, 0, Integer.MAX_VALUE));
    }

    private static CapacityFormula byFactor(ReadableConfig options) {
        Double factor = value(options, MoeOptions.CAPACITY_FACTOR);
        if (factor == null) {
            throw new IllegalConfigurationException(
                    "%s is factor, but %s is not set; give the capacity factor, 0 or more"
                            .formatted(
                                    MoeOptions.CAPACITY.key(), MoeOptions.CAPACITY_FACTOR.key()));
        }
        if (!(factor >= 0) || factor.isInfinite()) {
            throw illegal(MoeOptions.CAPACITY_FACTOR, factor, "0 or more");
        }
        return new CapacityFormula(
                factor,
                value(options, MoeOptions.CAPACITY_FACTOR_TIMES_K),
                value(options, MoeOptions.CAPACITY_ARITHMETIC),
                value(options, MoeOptions.CAPACITY_ROUNDING),
                inRange(options, MoeOptions.CAPACITY_MINIMUM, 0, Integer.MAX_VALUE),
                inRange(options, MoeOptions.CAPACITY_MULTIPLE_OF, 1, Integer.MAX_VALUE),
                value(options, MoeOptions.CAPACITY_AT_MOST_WINDOW));
    }
}
