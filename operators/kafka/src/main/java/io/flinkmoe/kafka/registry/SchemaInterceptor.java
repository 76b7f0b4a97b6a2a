// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.registry;

import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.consumer.ConsumerInterceptor;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/**
 * Waits in the thread that fetches records from Kafka until their schemas are known. Flink's task
 * thread gets no records meanwhile, so its checkpoints go on. Kafka creates it from its name.
 */
@Internal
public final class SchemaInterceptor implements ConsumerInterceptor<byte[], byte[]> {

    private final Set<Integer> known = new HashSet<>();
    private String id;
    private boolean ofValues;
    private boolean ofKeys;

    @Override
    public void configure(Map<String, ?> configs) {
        id = (String) configs.get(RegistryUse.ID_PROPERTY);
        ofValues = isTrue(configs, RegistryUse.VALUES_PROPERTY);
        ofKeys = isTrue(configs, RegistryUse.KEYS_PROPERTY);
    }

    private static boolean isTrue(Map<String, ?> configs, String key) {
        return Boolean.parseBoolean(String.valueOf(configs.get(key)));
    }

    @Override
    public ConsumerRecords<byte[], byte[]> onConsume(ConsumerRecords<byte[], byte[]> records) {
        Set<Integer> unknown = new LinkedHashSet<>();
        for (ConsumerRecord<byte[], byte[]> record : records) {
            if (ofValues) {
                addUnknown(record.value(), unknown);
            }
            if (ofKeys) {
                addUnknown(record.key(), unknown);
            }
        }
        if (!unknown.isEmpty()) {
            // Without schemas the source is closed.
            RegistryUse.find(id).ifPresent(schemas -> await(schemas, unknown));
        }
        return records;
    }

    private void addUnknown(byte[] message, Set<Integer> unknown) {
        if (WireFormat.hasHeader(message)) {
            int schema = WireFormat.schemaId(message);
            if (!known.contains(schema)) {
                unknown.add(schema);
            }
        }
    }

    private void await(WriterSchemas schemas, Set<Integer> ids) {
        schemas.await(ids);
        ids.stream().filter(schema -> schemas.schema(schema).isPresent()).forEach(known::add);
    }

    @Override
    public void onCommit(Map<TopicPartition, OffsetAndMetadata> offsets) {}

    @Override
    public void close() {}
}
