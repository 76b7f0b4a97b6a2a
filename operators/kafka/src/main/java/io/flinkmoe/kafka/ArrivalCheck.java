// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Origin;
import io.flinkmoe.api.RawRecord;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.api.Token;
import io.flinkmoe.api.TokenCheck;
import io.flinkmoe.column.InputLayout;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/** Makes arrivals of the tokens of Kafka records: valid tokens, or dead letters. */
@Internal
public final class ArrivalCheck {

    private final InputLayout inputs;
    private final boolean checkTimestamps;
    private final TimestampCheck timestamps;

    /**
     * @param inputs the inputs of the model
     */
    public ArrivalCheck(InputLayout inputs, TimestampRules rules) {
        this.inputs = inputs;
        this.checkTimestamps = rules.areChecked();
        this.timestamps = new TimestampCheck(rules.maxAhead(), rules.maxBehind(), rules.clock());
    }

    /** Returns the arrival of a token, or of a dead letter if the token cannot be scored. */
    public Arrival arrival(Token token, ConsumerRecord<byte[], byte[]> record) {
        Rejection rejection = TokenCheck.reasonToReject(token, inputs);
        if (rejection == null && checkTimestamps) {
            rejection = timestamps.reasonToReject(token.timestamp(), record);
        }
        if (rejection != null) {
            return rejected(record, rejection);
        }
        return checkTimestamps && timestamps.isBehind(token.timestamp(), record)
                ? Arrival.behind(token, origin(record))
                : Arrival.of(token, origin(record));
    }

    /** Returns the arrival of a dead letter. */
    public static Arrival rejected(ConsumerRecord<byte[], byte[]> record, Rejection rejection) {
        return Arrival.of(DeadLetter.of(origin(record), raw(record), rejection));
    }

    /** Returns why a record without a value, or with an empty one, has no token; else null. */
    public static Rejection reasonToRejectValue(byte[] value) {
        if (value == null) {
            return new Rejection(Kind.NO_VALUE, "the record has no value (a tombstone)");
        }
        return value.length == 0
                ? new Rejection(Kind.EMPTY_VALUE, "the record's value is empty (0 bytes)")
                : null;
    }

    private static Origin origin(ConsumerRecord<byte[], byte[]> record) {
        return new Origin(record.topic(), record.partition(), record.offset());
    }

    private static RawRecord raw(ConsumerRecord<byte[], byte[]> record) {
        List<RawRecord.Header> headers = new ArrayList<>();
        for (Header header : record.headers()) {
            headers.add(new RawRecord.Header(header.key(), header.value()));
        }
        return new RawRecord(record.key(), record.value(), headers, record.timestamp());
    }
}
