// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import io.flinkmoe.api.Arrival;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.runtime.execution.SuppressRestartsException;
import org.apache.flink.util.ExceptionUtils;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;

/**
 * Reads splits with the connector's reader. Fails the job if the records to read next are gone,
 * keeps the ids of topics in the state, and reports to the enumerator how far the partitions are in
 * event time, and which fields of records are dropped.
 */
@Internal
@SuppressWarnings("try") // Flink's readers may be interrupted while they close.
final class TokenReader implements SourceReader<Arrival, KafkaPartitionSplit> {

    private static final long REPORT_NANOS = Duration.ofSeconds(2).toNanos();

    /** The calls between two looks at the clock. */
    private static final int CALLS = 1_000;

    private final SourceReader<Arrival, KafkaPartitionSplit> reader;
    private final SplitOffsets offsets;
    private final EventTimes times;
    private final boolean reports;
    private final SourceReaderContext context;

    /** The ids that the topics of the splits had when the splits were added. */
    private final Map<TopicPartition, Uuid> topicIds = new HashMap<>();

    private Set<String> droppedBefore = Set.of();
    private int calls;
    private long reportedAt = System.nanoTime();

    /**
     * @param times notes the timestamps of the records of this reader
     * @param reports whether to report them; not if partitions end
     */
    TokenReader(
            SourceReader<Arrival, KafkaPartitionSplit> reader,
            SplitOffsets offsets,
            EventTimes times,
            boolean reports,
            SourceReaderContext context) {
        this.reader = reader;
        this.offsets = offsets;
        this.times = times;
        this.reports = reports;
        this.context = context;
    }

    @Override
    public void addSplits(List<KafkaPartitionSplit> splits) {
        try {
            SplitOffsets.Resolved resolved = offsets.resolve(splits);
            reader.addSplits(resolved.splits());
            for (KafkaPartitionSplit split : resolved.splits()) {
                times.assign(split.getTopicPartition().partition());
                topicIds.put(split.getTopicPartition(), TopicSplit.topicId(split));
            }
            if (!resolved.skipped().isEmpty()) {
                context.sendSourceEventToCoordinator(new SkippedRecords(resolved.skipped()));
            }
        } catch (MissingOffsetsException e) {
            throw new SuppressRestartsException(e);
        }
    }

    @Override
    public InputStatus pollNext(ReaderOutput<Arrival> output) throws Exception {
        try {
            InputStatus status = reader.pollNext(output);
            if (++calls >= CALLS || status != InputStatus.MORE_AVAILABLE) {
                calls = 0;
                report();
            }
            return status;
        } catch (RuntimeException e) {
            Optional<OffsetOutOfRangeException> gone =
                    ExceptionUtils.findThrowable(e, OffsetOutOfRangeException.class);
            if (gone.isPresent()) {
                throw offsets.overtaken(gone.get().offsetOutOfRangePartitions(), topicIds);
            }
            throw e;
        }
    }

    private void report() {
        long now = System.nanoTime();
        if (!reports || now - reportedAt < REPORT_NANOS) {
            return;
        }
        reportedAt = now;
        Map<Integer, Long> newest = times.take();
        if (!newest.isEmpty()) {
            context.sendSourceEventToCoordinator(new PartitionTimes(newest));
        }
        Set<String> dropped = times.droppedFields();
        if (!dropped.equals(droppedBefore)) {
            droppedBefore = dropped;
            context.sendSourceEventToCoordinator(new DroppedFields(dropped));
        }
    }

    @Override
    public void start() {
        reader.start();
    }

    @Override
    public List<KafkaPartitionSplit> snapshotState(long checkpointId) {
        List<KafkaPartitionSplit> splits = new ArrayList<>();
        for (KafkaPartitionSplit split : reader.snapshotState(checkpointId)) {
            Uuid id = topicIds.getOrDefault(split.getTopicPartition(), Uuid.ZERO_UUID);
            splits.add(new TopicSplit(split, id));
        }
        return splits;
    }

    @Override
    public CompletableFuture<Void> isAvailable() {
        return reader.isAvailable();
    }

    @Override
    public void notifyNoMoreSplits() {
        reader.notifyNoMoreSplits();
    }

    @Override
    public void handleSourceEvents(SourceEvent event) {
        reader.handleSourceEvents(event);
    }

    @Override
    public void pauseOrResumeSplits(Collection<String> toPause, Collection<String> toResume) {
        reader.pauseOrResumeSplits(toPause, toResume);
    }

    @Override
    public void notifyCheckpointComplete(long checkpointId) throws Exception {
        reader.notifyCheckpointComplete(checkpointId);
    }

    @Override
    public void notifyCheckpointAborted(long checkpointId) throws Exception {
        reader.notifyCheckpointAborted(checkpointId);
    }

    @Override
    public void close() throws Exception {
        times.close();
        reader.close();
    }
}
