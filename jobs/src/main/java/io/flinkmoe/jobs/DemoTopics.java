package io.flinkmoe.jobs;

import io.flinkmoe.jobs.kafka.KafkaBroker;
import java.io.IOException;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;

/** The demo's topics, whose records the broker stamps: so that latencies are by one clock. */
final class DemoTopics {

    private final KafkaBroker broker;

    DemoTopics(KafkaBroker broker) {
        this.broker = broker;
    }

    void create(int partitions, String... topics) throws IOException, InterruptedException {
        Map<ConfigResource, Collection<AlterConfigOp>> changes = new HashMap<>();
        for (String topic : topics) {
            broker.createTopic(topic, partitions);
            ConfigEntry stamp =
                    new ConfigEntry(TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG, "LogAppendTime");
            changes.put(
                    new ConfigResource(ConfigResource.Type.TOPIC, topic),
                    List.of(new AlterConfigOp(stamp, AlterConfigOp.OpType.SET)));
        }
        try (Admin admin =
                Admin.create(
                        Map.of(
                                AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG,
                                broker.bootstrapServers()))) {
            admin.incrementalAlterConfigs(changes).all().get();
        } catch (ExecutionException e) {
            throw new IOException("The topics could not be set up: " + e.getMessage(), e);
        }
    }
}
