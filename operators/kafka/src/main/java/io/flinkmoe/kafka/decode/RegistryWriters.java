// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.kafka.registry.WireFormat;
import io.flinkmoe.kafka.registry.WriterSchemas;
import java.util.List;
import java.util.Optional;
import org.apache.avro.Schema;
import org.apache.flink.annotation.Internal;

/** The writers' schemas of records in Confluent's wire format. */
@Internal
public record RegistryWriters(RecordReader.Part part, WriterSchemas schemas)
        implements AvroReader.WriterOf {

    @Override
    public Schema schema(byte[] message) throws BadRecordException {
        if (!WireFormat.hasHeader(message)) {
            throw new BadRecordException(
                    Kind.FORMAT,
                    "the %s does not begin with a schema id in Confluent's wire format"
                            .formatted(part));
        }
        int id = WireFormat.schemaId(message);
        Optional<Schema> schema = schemas.schema(id);
        if (schema.isPresent()) {
            return schema.get();
        }
        Optional<String> rejection = schemas.rejection(id);
        if (rejection.isEmpty()) {
            // The source has not waited for the id; so this thread has to.
            schemas.await(List.of(id));
            schema = schemas.schema(id);
            rejection = schemas.rejection(id);
            if (schema.isPresent()) {
                return schema.get();
            }
        }
        throw new BadRecordException(
                Kind.UNKNOWN_SCHEMA,
                "the schema id %d of the %s cannot be used: %s"
                        .formatted(
                                id,
                                part,
                                rejection.orElseThrow(
                                        () -> new IllegalStateException("the source is closed"))));
    }

    @Override
    public int headerBytes() {
        return WireFormat.HEADER_BYTES;
    }
}
