// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplitSerializer;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.kafka.common.Uuid;

/**
 * A split that knows the id of its topic. Kafka gives a topic that is created anew another id, and
 * offsets of the old one mean nothing there.
 */
@Internal
final class TopicSplit extends KafkaPartitionSplit {

    private final Uuid topicId;

    /**
     * @param topicId {@link Uuid#ZERO_UUID} if it is not known
     */
    TopicSplit(KafkaPartitionSplit split, Uuid topicId) {
        super(
                split.getTopicPartition(),
                split.getStartingOffset(),
                split.getStoppingOffset().orElse(NO_STOPPING_OFFSET));
        this.topicId = topicId;
    }

    /** The id of a split's topic; {@link Uuid#ZERO_UUID} if it is not known. */
    static Uuid topicId(KafkaPartitionSplit split) {
        return split instanceof TopicSplit known ? known.topicId : Uuid.ZERO_UUID;
    }

    /** Writes the topic's id before the connector's own bytes. */
    static final class Serializer implements SimpleVersionedSerializer<KafkaPartitionSplit> {

        /** The connector's own versions are lower. Their bytes have no id. */
        private static final int FIRST_VERSION = 1_000;

        private final KafkaPartitionSplitSerializer splits = new KafkaPartitionSplitSerializer();

        @Override
        public int getVersion() {
            return FIRST_VERSION + splits.getVersion();
        }

        @Override
        public byte[] serialize(KafkaPartitionSplit split) throws IOException {
            DataOutputSerializer out = new DataOutputSerializer(64);
            Uuid id = topicId(split);
            out.writeLong(id.getMostSignificantBits());
            out.writeLong(id.getLeastSignificantBits());
            out.write(splits.serialize(split));
            return out.getCopyOfBuffer();
        }

        @Override
        public KafkaPartitionSplit deserialize(int version, byte[] bytes) throws IOException {
            if (version < FIRST_VERSION) {
                return splits.deserialize(version, bytes);
            }
            DataInputDeserializer in = new DataInputDeserializer(bytes);
            Uuid id = new Uuid(in.readLong(), in.readLong());
            byte[] rest = new byte[in.available()];
            in.readFully(rest);
            return new TopicSplit(splits.deserialize(version - FIRST_VERSION, rest), id);
        }
    }
}
