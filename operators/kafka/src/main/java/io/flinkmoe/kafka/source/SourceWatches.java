// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.MetricGroup;

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

    private final GroupOwner owner;
    private final OpenTransactions transactions;
    private final HeldBackPartitions heldBack;
    private volatile List<String> status = List.of();

    SourceWatches(
            GroupOwner owner,
            OpenTransactions transactions,
            HeldBackPartitions heldBack,
            MetricGroup operator) {
        this.owner = owner;
        this.transactions = transactions;
        this.heldBack = heldBack;
        MetricGroup group = operator.addGroup("moe").addGroup("source");
        group.gauge(RECORDS_WAITING, transactions::waiting);
        group.gauge(SLOWEST_LAG, heldBack::lagMillis);
        group.gauge(STATUS.substring("moe.source.".length()), () -> String.join("\n", status));
    }

    @Override
    public List<String> look() {
        List<String> sentences = new ArrayList<>(owner.look());
        sentences.addAll(transactions.look());
        sentences.addAll(heldBack.look());
        status = sentences;
        return sentences;
    }

    /** What a sentence is about: its beginning, without what changes all the time. */
    public static String subject(String sentence) {
        return sentence.split(", since|: ", 2)[0];
    }

    /** Takes a report of a reader. */
    void update(PartitionTimes times) {
        heldBack.update(times);
    }

    @Override
    public void close() {
        try {
            owner.close();
        } finally {
            transactions.close();
        }
    }
}
