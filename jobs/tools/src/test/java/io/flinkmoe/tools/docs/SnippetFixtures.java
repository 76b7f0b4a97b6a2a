// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.docs;

import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.WindowSummary;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * What a reader brings: the names that snippets use and do not declare. Every snippet becomes a
 * subclass. Snippets with statements are compiled only, so the values do not matter.
 */
public abstract class SnippetFixtures {

    protected StreamExecutionEnvironment env;
    protected Source<Payment, ?, ?> paymentSource;
    protected WatermarkStrategy<Payment> watermarks;
    protected DataStream<Payment> payments;

    protected Sink<ScoredToken> scores;
    protected Sink<DeadLetter> rejects;
    protected Sink<WindowSummary> summaries;

    protected byte[] recordValue;

    protected Configuration options;
    protected Properties properties;

    /** An event of the reader's own. */
    public record Payment(String account, long number, long timeMillis, float[] features) {}
}
