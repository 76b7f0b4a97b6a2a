package io.flinkmoe.runtime.expert;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.config.ExpertBatching;
import io.flinkmoe.config.ExpertDevice;
import io.flinkmoe.config.ExpertSettings;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.ExpertInput;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.runtime.shared.LocalBundle;
import io.flinkmoe.testing.Backend;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;

/** An {@link Expert} under test, open. */
public final class ExpertHarness
        extends KeyedOneInputStreamOperatorTestHarness<Integer, ExpertInput, ContributionBlock> {

    /** Rows of a call at most. */
    static final int BATCH = 3;

    private ExpertHarness(
            Backend backend, Expert expert, EvenKeys experts, int parallelism, int subtask)
            throws Exception {
        super(
                expert,
                (ExpertInput input) -> experts.keyOf(input.expert()),
                Types.INT,
                experts.maxParallelism(),
                parallelism,
                subtask);
        setStateBackend(backend.make());
    }

    /** The only subtask of a new operator, on the heap. */
    static ExpertHarness open(Expert expert, EvenKeys experts) throws Exception {
        return restore(Backend.HEAP, expert, experts, 1, 0, null);
    }

    /**
     * A subtask.
     *
     * @param state what it starts from; null: nothing
     */
    static ExpertHarness restore(
            Backend backend,
            Expert expert,
            EvenKeys experts,
            int parallelism,
            int subtask,
            OperatorSubtaskState state)
            throws Exception {
        ExpertHarness harness = new ExpertHarness(backend, expert, experts, parallelism, subtask);
        harness.setup(new ContributionBlock.Serializer()); // Whose copies are kept.
        if (state != null) {
            harness.initializeState(state);
        }
        harness.open();
        return harness;
    }

    /** The experts of the first layer, on the CPU, with a linger of 5 ms. */
    public static Expert expert(
            LocalBundle bundle,
            int round,
            EvenKeys experts,
            Capacity capacity,
            MoeOptions.OnError onError) {
        return expert(bundle, round, experts, false, capacity, onError);
    }

    /** The same, with padded calls or not. */
    public static Expert expert(
            LocalBundle bundle,
            int round,
            EvenKeys experts,
            boolean padding,
            Capacity capacity,
            MoeOptions.OnError onError) {
        return new Expert(
                bundle,
                0,
                round,
                experts,
                new ExpertSettings(
                        new ExpertBatching(BATCH, Duration.ofMillis(5), padding),
                        capacity,
                        onError,
                        ExpertDevice.CPU));
    }

    void send(ExpertInput... inputs) throws Exception {
        for (ExpertInput input : inputs) {
            processElement(new StreamRecord<>(input));
        }
    }

    @Override
    public int numKeyedStateEntries() {
        return Backend.entries(getOperator());
    }

    /** Every choice that is answered, once, and what became of it. */
    Map<Integer, Outcome> outcomes() {
        Map<Integer, Outcome> outcomes = new TreeMap<>();
        for (ContributionBlock answer : extractOutputValues()) {
            for (int i = 0; i < answer.choices().length; i++) {
                Outcome outcome = Outcome.ofCode(answer.outcomes()[i]);
                assertThat(outcomes.put(answer.choices()[i], outcome)).as("before").isNull();
            }
        }
        return outcomes;
    }
}
