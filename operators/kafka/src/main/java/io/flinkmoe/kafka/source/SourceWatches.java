// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.metrics.groups.AbstractMetricGroup;
import org.apache.flink.util.FlinkRuntimeException;
import org.apache.flink.util.IOUtils;

/**
 * All that the enumerator watches. Its metrics are operator metrics of the JobManager, in the group
 * {@code moe.source}.
 */
@Internal
public final class SourceWatches implements SourceWatch {

    /** The name of a gauge: what stops the source now, one sentence a line. */
    public static final String STATUS = "moe.source.status";

    /** Gauge: the records that wait for the end of an open transaction. */
    private static final String RECORDS_WAITING = "numRecordsBehindOpenTransactions";

    /** Gauge, milliseconds: how far the slowest partition is behind the next slowest. */
    private static final String SLOWEST_LAG = "slowestPartitionLag";

    /** What readers have skipped is part of the status for this time. */
    static final Duration SKIPPED_SHOWN = Duration.ofSeconds(50);

    private final List<SourceWatch> watches;
    private final HeldBackPartitions heldBack;
    private final DroppedFieldsWatch dropped = new DroppedFieldsWatch();
    private final MetricGroup metrics;
    private final LongSupplier clock;
    private final Map<String, Long> skipped = new LinkedHashMap<>();
    private volatile List<String> status = List.of();

    /**
     * @param owners tell whether other jobs use what this job claims
     * @param clock the time in milliseconds
     */
    SourceWatches(
            List<SourceWatch> owners,
            OpenTransactions transactions,
            HeldBackPartitions heldBack,
            LongSupplier clock,
            MetricGroup operator) {
        this.watches = new ArrayList<>(owners);
        this.watches.add(transactions);
        this.watches.add(heldBack);
        this.watches.add(dropped);
        this.heldBack = heldBack;
        this.clock = clock;
        metrics = operator.addGroup("moe").addGroup("source");
        metrics.gauge(RECORDS_WAITING, transactions::waiting);
        metrics.gauge(SLOWEST_LAG, heldBack::lagMillis);
        metrics.gauge(STATUS.substring("moe.source.".length()), () -> String.join("\n", status));
    }

    @Override
    public List<String> look() {
        List<String> sentences = skipped();
        for (SourceWatch watch : watches) {
            sentences.addAll(watch.look());
        }
        status = sentences;
        return sentences;
    }

    private List<String> skipped() {
        long now = clock.getAsLong();
        synchronized (skipped) {
            skipped.values().removeIf(at -> now - at >= SKIPPED_SHOWN.toMillis());
            return new ArrayList<>(skipped.keySet());
        }
    }

    /** What a sentence is about: its beginning, without what changes all the time. */
    public static String subject(String sentence) {
        return sentence.split(", since|: ", 2)[0];
    }

    /** Takes a report of a reader. */
    void update(PartitionTimes times) {
        heldBack.update(times);
    }

    /** Takes a report of a reader. */
    void update(DroppedFields fields) {
        dropped.update(fields);
    }

    /** Takes a report of a reader. */
    void skipped(SkippedRecords records) {
        synchronized (skipped) {
            records.sentences().forEach(sentence -> skipped.put(sentence, clock.getAsLong()));
        }
    }

    /**
     * Removes the metrics, too. Otherwise those of the next enumerator would have the same names.
     */
    @Override
    public void close() {
        if (metrics instanceof AbstractMetricGroup<?> closeable) {
            closeable.close();
        }
        try {
            IOUtils.closeAll(watches);
        } catch (Exception e) {
            throw new FlinkRuntimeException("cannot close the watches of the source", e);
        }
    }
}
