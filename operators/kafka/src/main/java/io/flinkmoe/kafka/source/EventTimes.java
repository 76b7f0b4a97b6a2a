// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.kafka.registry.RegistryUse;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Notes the newest timestamp of each partition while another schema deserializes its records. Used
 * by the thread of one reader.
 */
@Internal
final class EventTimes implements KafkaRecordDeserializationSchema<Arrival> {

    private static final long serialVersionUID = 1L;

    /** The newest timestamp of a partition that has had no tokens yet. */
    static final long NONE = Long.MIN_VALUE;

    /** The same for one whose tokens are all far behind their records. It holds back nothing. */
    static final long BEHIND = Long.MIN_VALUE + 1;

    private final KafkaRecordDeserializationSchema<Arrival> schema;

    private transient Noting noting;

    EventTimes(KafkaRecordDeserializationSchema<Arrival> schema) {
        this.schema = schema;
    }

    @Override
    public void open(DeserializationSchema.InitializationContext context) throws Exception {
        schema.open(context);
        noting = new Noting();
    }

    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Arrival> out)
            throws IOException {
        noting.out = out;
        schema.deserialize(record, noting);
    }

    @Override
    public TypeInformation<Arrival> getProducedType() {
        return schema.getProducedType();
    }

    /** Closes the schema, so that no thread waits for it any more. */
    void close() throws Exception {
        if (schema instanceof AutoCloseable closeable) {
            closeable.close();
        }
    }

    /** The fields of records so far that the job's schema does not have. */
    Set<String> droppedFields() {
        return schema instanceof RegistryUse.ByDeserializer deserializer
                ? deserializer.droppedFields()
                : Set.of();
    }

    /** Notes that this reader now reads a partition. */
    void assign(int partition) {
        noting.note(partition, NONE);
    }

    /** The newest timestamps of the partitions that are new or had tokens since the last call. */
    Map<Integer, Long> take() {
        return noting.take();
    }

    private static final class Noting implements Collector<Arrival> {

        private Collector<Arrival> out;
        private long[] newest = new long[0];
        private boolean[] isNew = new boolean[0];

        @Override
        public void collect(Arrival arrival) {
            if (arrival.token() != null) {
                note(
                        arrival.partition(),
                        arrival.isBehind() ? BEHIND : arrival.token().timestamp());
            }
            out.collect(arrival);
        }

        private void note(int partition, long timestamp) {
            if (partition >= newest.length) {
                int known = newest.length;
                newest = Arrays.copyOf(newest, partition + 1);
                Arrays.fill(newest, known, newest.length, NONE);
                isNew = Arrays.copyOf(isNew, partition + 1);
            }
            newest[partition] = Math.max(newest[partition], timestamp);
            isNew[partition] = true;
        }

        Map<Integer, Long> take() {
            Map<Integer, Long> taken = new HashMap<>();
            for (int partition = 0; partition < newest.length; partition++) {
                if (isNew[partition]) {
                    taken.put(partition, newest[partition]);
                    isNew[partition] = false;
                }
            }
            return taken;
        }

        @Override
        public void close() {}
    }
}
