// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.kafka.ArrivalCheck;
import io.flinkmoe.kafka.TimestampRules;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** What becomes of a record in Avro that was written with another schema than the reader's. */
final class AvroArrivals {

    private AvroArrivals() {}

    static Arrival of(AvroReader reader, RecordBinding binding, InputLayout inputs, byte[] value) {
        ConsumerRecord<byte[], byte[]> record = new ConsumerRecord<>("in", 3, 42, null, value);
        try {
            return new ArrivalCheck(inputs, TimestampRules.NONE)
                    .arrival(
                            new TokenBinder(binding, inputs, reader)
                                    .token(reader.decode(value), record),
                            record);
        } catch (BadRecordException e) {
            return ArrivalCheck.rejected(record, e.rejection());
        }
    }
}
