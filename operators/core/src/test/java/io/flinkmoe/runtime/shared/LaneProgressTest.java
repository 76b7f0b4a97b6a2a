// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Random orders of residuals and answers, against a list of tokens that is searched anew. */
class LaneProgressTest {

    private static final int K = 2;
    private static final int LANE = 3;
    private static final int RUNS = 4_000;

    /** How often each step is followed by a watermark, and by a restart, in percent. */
    @ParameterizedTest(name = "watermarks {0} %, restarts half as often")
    @ValueSource(ints = {0, 10, 60})
    void letsEveryTokenGoOnceAndInTheOrderOfItsStream(int percent) {
        for (int seed = 0; seed < RUNS; seed++) {
            new Simulation(seed).run(percent);
        }
    }

    /** One token of the lane, as the oracle sees it. */
    private static final class Row {
        final String stream;
        final long timestamp;
        final boolean late;
        final Set<Integer> missing = new HashSet<>();
        boolean left;

        Row(String stream, long timestamp, boolean late) {
            this.stream = stream;
            this.timestamp = timestamp;
            this.late = late;
        }
    }

    private static final class Batch {
        final List<Row> rows = new ArrayList<>();
        final List<int[]> answered = new ArrayList<>();
        RoutedBlock block;
        boolean arrived;

        boolean isComplete() {
            return arrived && rows.stream().allMatch(row -> row.missing.isEmpty());
        }

        boolean isGone() {
            return rows.stream().allMatch(row -> row.left);
        }
    }

    /** What comes next: a batch's residuals (answer is null), or an answer to it. */
    private record Event(int batch, int[] answer) {}

    private static final class Simulation {
        private final Random random;
        private final String name;
        private final List<Batch> batches = new ArrayList<>();
        private int next;
        private final int maxRows;
        private LaneProgress progress;

        Simulation(int seed) {
            random = new Random(seed);
            maxRows = random.nextBoolean() ? Integer.MAX_VALUE : 1 + random.nextInt(3);
            name = "run " + seed + " with at most " + maxRows + " rows";
            progress = new LaneProgress(0, maxRows);
        }

        void run(int percent) {
            for (Event event : events()) {
                Batch batch = batches.get(event.batch);
                if (event.answer == null) {
                    batch.arrived = true;
                    progress.addTokens(event.batch, WaitingTokens.of(batch.block), null);
                } else {
                    batch.answered.add(event.answer);
                    for (int choice : event.answer) {
                        batch.rows.get(choice / K).missing.remove(choice);
                    }
                    progress.addResults(event.batch, event.answer);
                }
                if (random.nextInt(200) < percent) {
                    restart();
                }
                checkFirst();
                if (random.nextInt(100) < percent) {
                    if (random.nextBoolean()) {
                        checkAll();
                    } else {
                        scanInSlices();
                    }
                }
                checkSlice();
                checkTimestamp();
                checkReady();
            }
            assertThat(progress.isEmpty()).as("%s ends with nothing waiting", name).isTrue();
            assertThat(batches).as(name).allMatch(Batch::isGone);
        }

        /** Residuals mostly in the order of the lane, answers at any time, even before them. */
        private List<Event> events() {
            List<Event> residuals = new ArrayList<>();
            List<Event> events = new ArrayList<>();
            int count = 1 + random.nextInt(8);
            for (int number = 0; number < count; number++) {
                residuals.add(new Event(number, null));
                for (int[] answer : addBatch(number)) {
                    events.add(new Event(number, answer));
                }
            }
            Collections.shuffle(events, random);
            if (random.nextInt(4) == 0) {
                Collections.shuffle(residuals, random); // As after a change of parallelism.
            }
            int at = 0;
            for (Event residual : residuals) {
                at += random.nextInt(events.size() - at + 1);
                events.add(at++, residual);
            }
            return events;
        }

        /** Makes a batch and the groups in which its choices will be answered. */
        private List<int[]> addBatch(int number) {
            int rows = 1 + random.nextInt(6);
            Batch batch = new Batch();
            byte[] outcomes = new byte[rows * K];
            List<Integer> pending = new ArrayList<>();
            for (int row = 0; row < rows; row++) {
                boolean late = random.nextInt(6) == 0;
                batch.rows.add(new Row("s" + random.nextInt(4), random.nextInt(1_000), late));
                for (int choice = row * K; choice < row * K + K; choice++) {
                    outcomes[choice] = late ? Outcome.LATE.code() : Choices.PENDING;
                    if (!late) {
                        pending.add(choice);
                        batch.rows.get(row).missing.add(choice);
                    }
                }
            }
            batch.block =
                    new RoutedBlock(
                            number,
                            new TokenBlock(
                                    LANE,
                                    batch.rows.stream().map(r -> r.stream).toArray(String[]::new),
                                    new long[rows],
                                    batch.rows.stream().mapToLong(r -> r.timestamp).toArray(),
                                    late(batch.rows),
                                    TokenBlock.NO_ORIGINS,
                                    new byte[0],
                                    TokenBlock.NO_STRINGS,
                                    TokenBlock.NO_PAYLOADS,
                                    new Choices[0]),
                            new Choices(K, new int[rows * K], new float[rows * K], outcomes));
            batches.add(batch);
            Collections.shuffle(pending, random);
            List<int[]> answers = new ArrayList<>();
            while (!pending.isEmpty()) {
                List<Integer> some = pending.subList(0, 1 + random.nextInt(pending.size()));
                answers.add(some.stream().mapToInt(Integer::intValue).toArray());
                some.clear();
            }
            return answers;
        }

        private static boolean[] late(List<Row> rows) {
            boolean[] late = new boolean[rows.size()];
            for (int row = 0; row < late.length; row++) {
                late[row] = rows.get(row).late;
            }
            return rows.stream().anyMatch(row -> row.late) ? late : TokenBlock.NONE_LATE;
        }

        private void checkFirst() {
            LaneProgress.ReadyRows ready = progress.pollFirst();
            for (; ready != null; ready = progress.pollFirst()) {
                int first = (int) ready.batch();
                assertThat(first).as("%s: the first batch", name).isEqualTo(next);
                Batch batch = batches.get(first);
                assertThat(batch.isComplete()).as("%s: batch %d", name, first).isTrue();
                assertThat(ready.rows())
                        .as("%s: batch %d", name, first)
                        .isEqualTo(Arrays.stream(stay(batch)).limit(maxRows).toArray());
                leave(ready);
                assertThat(ready.first()).isEqualTo(batch.isGone()).isEqualTo(ready.areLast());
                next += batch.isGone() ? 1 : 0;
            }
            assertThat(next).isEqualTo(progress.next());
            assertThat(next < batches.size() && batches.get(next).isComplete())
                    .as("%s: a first batch that may leave has left", name)
                    .isFalse();
        }

        private void checkAll() {
            List<List<Integer>> expected = mayLeave();
            progress.scan();
            LaneProgress.ReadyRows ready;
            while ((ready = progress.pollScanned()) != null) {
                int number = (int) ready.batch();
                List<Integer> rows = expected.get(number);
                List<Integer> part = rows.subList(0, Math.min(rows.size(), maxRows));
                assertThat(ready.rows())
                        .as("%s: rows of batch %d", name, number)
                        .isEqualTo(part.stream().mapToInt(r -> r).toArray());
                part.clear();
                leave(ready);
                Batch batch = batches.get(number);
                assertThat(ready.first()).isFalse();
                assertThat(ready.emitted()).isEqualTo(flags(batch));
            }
            assertThat(expected).as("%s: rows that were kept back", name).allMatch(List::isEmpty);
        }

        /** Starts a scan that later steps go on with, while more tokens and answers arrive. */
        private void scanInSlices() {
            progress.scan();
        }

        /** One slice of a scan, if there is one: what leaves may leave, but more might. */
        private void checkSlice() {
            LaneProgress.ReadyRows ready = random.nextBoolean() ? progress.pollScanned() : null;
            if (ready == null) {
                return;
            }
            List<Integer> mayLeave = mayLeave().get((int) ready.batch());
            assertThat(mayLeave)
                    .as("%s: a slice of batch %d", name, ready.batch())
                    .containsAll(Arrays.stream(ready.rows()).boxed().toList());
            leave(ready);
        }

        private void checkReady() {
            int expected = 0;
            for (Batch batch : batches) {
                for (Row row : batch.rows) {
                    expected += batch.arrived && !row.left && row.missing.isEmpty() ? 1 : 0;
                }
            }
            assertThat(progress.numReady()).as(name).isEqualTo(expected);
        }

        private void checkTimestamp() {
            long expected = Long.MAX_VALUE;
            for (Batch batch : batches) {
                for (Row row : batch.rows) {
                    if (batch.arrived && !row.left && !row.late) {
                        expected = Math.min(expected, row.timestamp);
                    }
                }
            }
            assertThat(progress.minTimestamp()).as(name).isEqualTo(expected);
        }

        /** By batch, the rows that are answered and that no earlier token of the stream blocks. */
        private List<List<Integer>> mayLeave() {
            List<List<Integer>> rows = new ArrayList<>();
            Set<String> held = new HashSet<>();
            boolean gap = false;
            for (Batch batch : batches) {
                List<Integer> going = new ArrayList<>();
                rows.add(going);
                gap |= !batch.arrived;
                for (int i = 0; i < batch.rows.size() && !gap; i++) {
                    Row row = batch.rows.get(i);
                    if (row.left) {
                        continue;
                    }
                    if (row.missing.isEmpty() && !held.contains(row.stream)) {
                        going.add(i);
                    } else {
                        held.add(row.stream);
                    }
                }
            }
            return rows;
        }

        /** What an operator has in state after a failure, put together again in any order. */
        private void restart() {
            progress = new LaneProgress(progress.next(), maxRows);
            List<Integer> order = new ArrayList<>();
            for (int number = 0; number < batches.size(); number++) {
                order.add(number);
            }
            Collections.shuffle(order, random);
            boolean answersFirst = random.nextBoolean();
            for (int pass = 0; pass < 2; pass++) {
                for (int number : order) {
                    Batch batch = batches.get(number);
                    if (number < next) {
                        continue;
                    }
                    if (batch.isGone()) {
                        if (pass == 0) {
                            progress.addTokens(number, WaitingTokens.NONE, null);
                        }
                        continue;
                    }
                    if (answersFirst == (pass == 0)) {
                        batch.answered.forEach(a -> addAnswer(batch, a));
                    } else if (batch.arrived) {
                        boolean[] flags = flags(batch);
                        boolean none = batch.rows.stream().noneMatch(row -> row.left);
                        progress.addTokens(
                                number, WaitingTokens.of(batch.block), none ? null : flags);
                    }
                }
            }
        }

        private void addAnswer(Batch batch, int[] answer) {
            progress.addResults(batch.block.batch(), answer);
        }

        private void leave(LaneProgress.ReadyRows ready) {
            for (int index : ready.rows()) {
                Row row = batches.get((int) ready.batch()).rows.get(index);
                assertThat(row.left).as("%s: twice", name).isFalse();
                row.left = true;
            }
        }

        private static int[] stay(Batch batch) {
            int[] rows = new int[batch.rows.size()];
            int count = 0;
            for (int row = 0; row < rows.length; row++) {
                if (!batch.rows.get(row).left) {
                    rows[count++] = row;
                }
            }
            return Arrays.copyOf(rows, count);
        }

        private static boolean[] flags(Batch batch) {
            boolean[] flags = new boolean[batch.rows.size()];
            for (int row = 0; row < flags.length; row++) {
                flags[row] = batch.rows.get(row).left;
            }
            return flags;
        }
    }
}
