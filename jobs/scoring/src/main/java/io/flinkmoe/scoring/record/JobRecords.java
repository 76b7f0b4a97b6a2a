// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.kafka.RecordKey;
import io.flinkmoe.kafka.pinned.PinnedSchemas;
import java.io.IOException;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;

/** How a job reads records, and writes answers and dead letters. */
@Internal
public interface JobRecords {

    /** What works, but is perhaps not what the user wants. */
    default List<String> warnings() {
        return List.of();
    }

    /**
     * Returns the schemas that the job keeps in its state, and registers that of the answers.
     *
     * @param registers whether it may be registered
     */
    PinnedSchemas pin(boolean registers) throws IOException;

    /**
     * What makes tokens of the source's records.
     *
     * @param maxKeptBytes the maximum bytes of what an answer keeps of its record
     */
    KafkaRecordDeserializationSchema<Arrival> deserializer(int maxKeptBytes);

    /**
     * @param pinned what {@link #pin} has returned
     */
    KafkaRecordSerializationSchema<ScoredToken> answers(
            String topic, RecordKey key, PinnedSchemas pinned);

    /**
     * @param maxRecordBytes the maximum bytes of the record in a dead letter
     */
    KafkaRecordSerializationSchema<DeadLetter> deadLetters(String topic, int maxRecordBytes);
}
