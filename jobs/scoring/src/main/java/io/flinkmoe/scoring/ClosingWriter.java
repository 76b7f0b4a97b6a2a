// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import java.io.IOException;
import java.lang.reflect.Field;
import java.util.Collection;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.connector.sink2.CommittingSinkWriter;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.StatefulSinkWriter;
import org.apache.flink.connector.kafka.sink.KafkaCommittable;
import org.apache.flink.connector.kafka.sink.KafkaWriterState;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Flink's writer of a Kafka sink. It closes what that forgets (connector 5.0.0): the admin client
 * with which an exactly-once writer looks for open transactions. Otherwise each start of a job
 * would leave a thread and a connection to the broker per sink and subtask.
 *
 * @param writer also a {@link CommittingSinkWriter}
 */
@Internal
@SuppressWarnings("try") // Flink's writers may be interrupted while they close.
record ClosingWriter<T>(StatefulSinkWriter<T, KafkaWriterState> writer)
        implements StatefulSinkWriter<T, KafkaWriterState>,
                CommittingSinkWriter<T, KafkaCommittable> {

    private static final Logger LOG = LoggerFactory.getLogger(ClosingWriter.class);
    private static final String FORGOTTEN = "adminClient";

    @SuppressWarnings("unchecked") // Flink requires a writer with a state.
    static <T> ClosingWriter<T> of(SinkWriter<T> writer) {
        return new ClosingWriter<>((StatefulSinkWriter<T, KafkaWriterState>) writer);
    }

    @Override
    public void write(T element, Context context) throws IOException, InterruptedException {
        writer.write(element, context);
    }

    @Override
    public void flush(boolean endOfInput) throws IOException, InterruptedException {
        writer.flush(endOfInput);
    }

    @Override
    public void writeWatermark(Watermark watermark) throws IOException, InterruptedException {
        writer.writeWatermark(watermark);
    }

    @Override
    @SuppressWarnings("unchecked") // Flink requires it of the writers of such sinks.
    public Collection<KafkaCommittable> prepareCommit() throws IOException, InterruptedException {
        return ((CommittingSinkWriter<T, KafkaCommittable>) writer).prepareCommit();
    }

    @Override
    public List<KafkaWriterState> snapshotState(long checkpoint) throws IOException {
        return writer.snapshotState(checkpoint);
    }

    @Override
    public void close() throws Exception {
        try {
            writer.close();
        } finally {
            closeForgotten();
        }
    }

    private void closeForgotten() throws Exception {
        try {
            Field field = writer.getClass().getDeclaredField(FORGOTTEN);
            field.setAccessible(true);
            if (field.get(writer) instanceof AutoCloseable client) {
                client.close();
            }
        } catch (NoSuchFieldException e) {
            LOG.debug("{} has no {}", writer.getClass(), FORGOTTEN); // It writes no transactions.
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }
}
