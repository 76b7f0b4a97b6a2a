// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplitSerializer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.junit.jupiter.api.Test;

class TopicSplitTest {

    private static final KafkaPartitionSplit SPLIT =
            new KafkaPartitionSplit(new TopicPartition("tokens", 3), 17, 99);

    private final TopicSplit.Serializer serializer = new TopicSplit.Serializer();

    @Test
    void keepsTheIdOfTheTopicInTheState() throws IOException {
        Uuid id = Uuid.randomUuid();

        byte[] bytes = serializer.serialize(new TopicSplit(SPLIT, id));
        KafkaPartitionSplit read = serializer.deserialize(serializer.getVersion(), bytes);

        assertThat(read).isEqualTo(SPLIT);
        assertThat(TopicSplit.topicId(read)).isEqualTo(id);
    }

    @Test
    void splitsOfTheConnectorHaveNoId() throws IOException {
        KafkaPartitionSplitSerializer connectors = new KafkaPartitionSplitSerializer();

        KafkaPartitionSplit read =
                serializer.deserialize(connectors.getVersion(), connectors.serialize(SPLIT));

        assertThat(read).isEqualTo(SPLIT);
        assertThat(TopicSplit.topicId(read)).isEqualTo(Uuid.ZERO_UUID);
    }
}
