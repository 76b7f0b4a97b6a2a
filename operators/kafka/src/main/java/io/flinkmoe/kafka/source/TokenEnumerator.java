// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.io.IOException;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.connector.kafka.source.enumerator.KafkaSourceEnumState;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;
import org.apache.flink.util.FlinkRuntimeException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Assigns splits with the connector's enumerator, and watches the source while the job runs. */
@Internal
final class TokenEnumerator implements SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> {

    private static final Logger LOG = LoggerFactory.getLogger(TokenEnumerator.class);
    private static final Duration PERIOD = Duration.ofSeconds(1);

    private final SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> enumerator;
    private final SplitEnumeratorContext<KafkaPartitionSplit> context;
    private final Supplier<SourceWatches> opener;
    private Optional<SourceWatches> watches = Optional.empty();
    private Set<String> said = Set.of();

    TokenEnumerator(
            SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> enumerator,
            SplitEnumeratorContext<KafkaPartitionSplit> context,
            Supplier<SourceWatches> opener) {
        this.enumerator = enumerator;
        this.context = context;
        this.opener = opener;
    }

    @Override
    public void start() {
        enumerator.start();
        SourceWatches opened = opener.get(); // Flink closes only what it has started.
        watches = Optional.of(opened);
        context.callAsync(opened::look, this::say, 0, PERIOD.toMillis());
    }

    private void say(List<String> sentences, Throwable failure) {
        if (failure instanceof RuntimeException known) {
            throw known;
        } else if (failure != null) {
            throw new FlinkRuntimeException("cannot watch the source", failure);
        }
        Set<String> now = new HashSet<>();
        for (String sentence : sentences) {
            String subject = SourceWatches.subject(sentence);
            if (now.add(subject) && !said.contains(subject)) {
                LOG.warn(sentence);
            }
        }
        said = now;
    }

    @Override
    public void handleSourceEvent(int subtask, SourceEvent event) {
        if (event instanceof PartitionTimes times) {
            watches.ifPresent(opened -> opened.update(times));
        } else if (event instanceof DroppedFields fields) {
            watches.ifPresent(opened -> opened.update(fields));
        } else if (event instanceof SkippedRecords records) {
            watches.ifPresent(opened -> opened.skipped(records));
        } else {
            enumerator.handleSourceEvent(subtask, event);
        }
    }

    @Override
    public void handleSplitRequest(int subtask, String host) {
        enumerator.handleSplitRequest(subtask, host);
    }

    @Override
    public void addSplitsBack(List<KafkaPartitionSplit> splits, int subtask) {
        enumerator.addSplitsBack(splits, subtask);
    }

    @Override
    public void addReader(int subtask) {
        enumerator.addReader(subtask);
    }

    @Override
    public KafkaSourceEnumState snapshotState(long checkpointId) throws Exception {
        return enumerator.snapshotState(checkpointId);
    }

    @Override
    public void notifyCheckpointComplete(long checkpointId) throws Exception {
        enumerator.notifyCheckpointComplete(checkpointId);
    }

    @Override
    public void notifyCheckpointAborted(long checkpointId) throws Exception {
        enumerator.notifyCheckpointAborted(checkpointId);
    }

    @Override
    public void close() throws IOException {
        try {
            watches.ifPresent(SourceWatches::close);
        } finally {
            enumerator.close();
        }
    }
}
