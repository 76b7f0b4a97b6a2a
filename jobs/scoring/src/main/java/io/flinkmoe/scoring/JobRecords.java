// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.kafka.RecordKey;
import org.apache.flink.annotation.Internal;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;

/** How a job reads records, and writes answers and dead letters. */
@Internal
interface JobRecords {

    /**
     * What makes tokens of the source's records.
     *
     * @param maxAnswerBytes the maximum bytes of an answer
     */
    KafkaRecordDeserializationSchema<Arrival> deserializer(int maxAnswerBytes);

    KafkaRecordSerializationSchema<ScoredToken> answers(String topic, RecordKey key);

    /**
     * @param maxRecordBytes the maximum bytes of the record in a dead letter
     */
    KafkaRecordSerializationSchema<DeadLetter> deadLetters(String topic, int maxRecordBytes);
}
