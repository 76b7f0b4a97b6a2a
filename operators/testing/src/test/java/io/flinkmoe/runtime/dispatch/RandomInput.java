// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.dispatch;

import static io.flinkmoe.runtime.dispatch.DispatchBlocks.D;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.K;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.LANES;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.N;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.RANKS;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.block.DecisionBlock.OfBatch;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.tensor.Floats;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.apache.flink.streaming.api.watermark.Watermark;

/** Batches of all lanes and the decisions about them, in a random order of arrival. */
final class RandomInput {

    private static final int MAX_BATCHES = 6;
    private static final int MAX_ROWS = 5;
    private static final int MAX_TIMESTAMP = 1_000;

    private static final byte[] OUTCOMES = {
        Choices.PENDING, Choices.PENDING, Outcome.OVERFLOWED.code(), Outcome.LATE.code()
    };

    private final Random random;

    /** By lane, the batches as they arrive. */
    private final List<List<RoutedBlock>> batches = new ArrayList<>();

    /** By lane and batch, the choices when all are decided. */
    private final List<List<Choices>> decided = new ArrayList<>();

    /** By lane, the number of the first batch: above 0 if the job ran without capacity before. */
    private final int[] firsts = new int[LANES];

    /** Batches, decisions and watermarks: {@code RoutedBlock, DecisionBlock, Watermark}. */
    private final List<Object> events = new ArrayList<>();

    RandomInput(Random random) {
        this.random = random;
        for (int lane = 0; lane < LANES; lane++) {
            firsts[lane] = random.nextInt(3) == 0 ? random.nextInt(10) : 0;
            addLane(lane);
        }
        for (int watermarks = random.nextInt(10); watermarks > 0; watermarks--) {
            events.add(new Watermark(0));
        }
        Collections.shuffle(events, random);
        batches.forEach(this::insertBatches);
        setWatermarks();
        events.add(Watermark.MAX_WATERMARK);
    }

    List<Object> events() {
        return events;
    }

    /** The number of the first batch of a lane. */
    int first(int lane) {
        return firsts[lane];
    }

    /** The batches of a lane, undecided. */
    List<RoutedBlock> batches(int lane) {
        return batches.get(lane);
    }

    /**
     * The choices of a batch when all are decided.
     *
     * @param batch its place in the lane
     */
    Choices decided(int lane, int batch) {
        return decided.get(lane).get(batch);
    }

    private void addLane(int lane) {
        batches.add(new ArrayList<>());
        decided.add(new ArrayList<>());
        List<OfBatch> decisions = new ArrayList<>();
        int count = random.nextInt(MAX_BATCHES + 1);
        for (int batch = 0; batch < count; batch++) {
            RoutedBlock block = block(lane, batch);
            batches.get(lane).add(block);
            decisions.addAll(decide(lane, block));
        }
        Collections.shuffle(decisions, random);
        while (!decisions.isEmpty()) {
            List<OfBatch> some = decisions.subList(0, 1 + random.nextInt(decisions.size()));
            events.add(new DecisionBlock(lane, some.toArray(OfBatch[]::new)));
            some.clear();
        }
    }

    private RoutedBlock block(int lane, int batch) {
        int rows = 1 + random.nextInt(MAX_ROWS);
        String[] streams = new String[rows];
        long[] positions = new long[rows];
        long[] timestamps = new long[rows];
        boolean[] late = new boolean[rows];
        byte[] outcomes = new byte[rows * K];
        int[] experts = new int[rows * RANKS];
        for (int row = 0; row < rows; row++) {
            streams[row] = lane + "-" + random.nextInt(4);
            positions[row] = 100L * batch + row;
            timestamps[row] = random.nextInt(MAX_TIMESTAMP);
            late[row] = random.nextInt(6) == 0;
            for (int choice = row * K; choice < row * K + K; choice++) {
                outcomes[choice] =
                        late[row]
                                ? Outcome.LATE.code()
                                : random.nextInt(8) == 0
                                        ? Outcome.OVERFLOWED.code()
                                        : Choices.PENDING;
            }
        }
        Arrays.setAll(experts, i -> random.nextInt(N));
        TokenBlock tokens =
                new TokenBlock(
                        lane,
                        streams,
                        positions,
                        timestamps,
                        late,
                        TokenBlock.NO_ORIGINS,
                        Floats.toBytes(floats(rows * D)),
                        TokenBlock.NO_STRINGS,
                        TokenBlock.NO_PAYLOADS,
                        new Choices[0]);
        Choices choices =
                new Choices(
                        K,
                        experts,
                        floats(rows * RANKS),
                        random.nextBoolean() ? Choices.NO_SCORES : floats(rows * RANKS),
                        outcomes,
                        new byte[rows * K]);
        return new RoutedBlock(
                firsts[lane] + batch,
                tokens,
                choices,
                random.nextBoolean() ? new float[0] : floats(rows),
                random.nextBoolean() ? Vectors.NONE : Vectors.of(Floats.toBytes(floats(rows * D))));
    }

    private float[] floats(int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = random.nextInt(1_000_000);
        }
        return values;
    }

    /** Makes the decisions about a batch, and notes them. */
    private List<OfBatch> decide(int lane, RoutedBlock block) {
        Choices choices = block.choices();
        float[] weights = choices.weights().clone();
        byte[] outcomes = choices.outcomes().clone();
        byte[] attempts = choices.attempts().clone();
        List<Integer> pending = new ArrayList<>();
        for (int choice = 0; choice < outcomes.length; choice++) {
            if (outcomes[choice] == Choices.PENDING) {
                pending.add(choice);
            }
        }
        Collections.shuffle(pending, random);
        List<OfBatch> decisions = new ArrayList<>();
        while (!pending.isEmpty()) {
            List<Integer> some = pending.subList(0, 1 + random.nextInt(pending.size()));
            OfBatch ofBatch = decisions(block.batch(), some);
            some.clear();
            decisions.add(ofBatch);
            for (int i = 0; i < ofBatch.choices().length; i++) {
                int choice = ofBatch.choices()[i];
                outcomes[choice] = ofBatch.outcomes()[i];
                attempts[choice] = (byte) ofBatch.attempt();
                if (ofBatch.weights().length > 0) {
                    int rank = choice % K + ofBatch.attempt() * K;
                    weights[choice / K * RANKS + rank] = ofBatch.weights()[i];
                }
            }
        }
        decided.get(lane)
                .add(
                        new Choices(
                                K,
                                choices.experts(),
                                weights,
                                choices.scores(),
                                outcomes,
                                attempts));
        return decisions;
    }

    private OfBatch decisions(long batch, List<Integer> choices) {
        byte[] outcomes = new byte[choices.size()];
        for (int i = 0; i < outcomes.length; i++) {
            outcomes[i] = OUTCOMES[random.nextInt(OUTCOMES.length)];
        }
        return new OfBatch(
                batch,
                random.nextInt(RANKS / K),
                choices.stream().mapToInt(Integer::intValue).toArray(),
                outcomes,
                random.nextBoolean() ? DecisionBlock.NO_WEIGHTS : floats(outcomes.length));
    }

    /** The decisions come at any time, even before the batches, which come mostly in order. */
    private void insertBatches(List<RoutedBlock> ofLane) {
        List<RoutedBlock> order = new ArrayList<>(ofLane);
        if (random.nextInt(4) == 0) {
            Collections.shuffle(order.subList(Math.min(1, order.size()), order.size()), random);
        }
        int at = 0;
        for (RoutedBlock batch : order) {
            at += random.nextInt(events.size() - at + 1);
            events.add(at++, batch);
        }
    }

    private void setWatermarks() {
        long watermark = 0;
        for (int i = 0; i < events.size(); i++) {
            if (events.get(i) instanceof Watermark) {
                watermark += 1 + random.nextInt(MAX_TIMESTAMP / 5);
                events.set(i, new Watermark(watermark));
            }
        }
    }
}
