// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.io.IOException;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
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
    private final SourceWatches watches;
    private Set<String> said = Set.of();

    TokenEnumerator(
            SplitEnumerator<KafkaPartitionSplit, KafkaSourceEnumState> enumerator,
            SplitEnumeratorContext<KafkaPartitionSplit> context,
            SourceWatches watches) {
        this.enumerator = enumerator;
        this.context = context;
        this.watches = watches;
    }

    @Override
    public void start() {
        enumerator.start();
        context.callAsync(watches::look, this::say, 0, PERIOD.toMillis());
    }

    private void say(List<String> sentences, Throwable failure) {
        if (failure instanceof RuntimeException known) {
            throw known;
        } else if (failure != null) {
            throw new FlinkRuntimeException("cannot watch the source", failure);
        }
        Set<String> now = new HashSet<>();
        for (String sentence : sentences) {
            // Without numbers, because some change all the time.
            String kind = sentence.replaceAll("\\d+", "#");
            if (now.add(kind) && !said.contains(kind)) {
                LOG.warn(sentence);
            }
        }
        said = now;
    }

    @Override
    public void handleSourceEvent(int subtask, SourceEvent event) {
        if (event instanceof PartitionTimes times) {
            watches.update(times);
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
            watches.close();
        } finally {
            enumerator.close();
        }
    }
}
