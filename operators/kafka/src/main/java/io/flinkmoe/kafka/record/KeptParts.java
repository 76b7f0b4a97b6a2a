// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.kafka.decode.BadRecordException;
import io.flinkmoe.kafka.decode.RecordReader;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/** Makes the payloads of tokens: kept fields and kept headers of their records. */
@Internal
final class KeptParts {

    private final RecordReader.Keeper fields;
    private final List<String> headers;
    private final int maxBytes;

    /**
     * @param reader the reader of the records' values
     * @param maxBytes the largest payload
     * @throws IllegalArgumentException if the records cannot have the fields
     */
    KeptParts(AnswerFields answer, RecordReader reader, int maxBytes) {
        fields = reader.keeper(answer.kept());
        headers = answer.keptHeaders();
        this.maxBytes = maxBytes;
    }

    /** Returns the payload of the token of the record that was decoded last. */
    byte[] payload(Object decoded, ConsumerRecord<byte[], byte[]> record)
            throws BadRecordException {
        List<Header> found = List.of();
        if (!headers.isEmpty()) {
            found = new ArrayList<>();
            for (Header header : record.headers()) {
                if (headers.contains(header.key())) {
                    found.add(header);
                }
            }
        }
        byte[] payload =
                new Payload(fields.form(), found, fields.kept(decoded, record.value())).toBytes();
        if (payload.length > maxBytes) {
            throw new BadRecordException(
                    Kind.OTHER,
                    "the kept fields and headers have %,d bytes; allowed: %,d"
                            .formatted(payload.length, maxBytes));
        }
        return payload;
    }
}
