// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;

/**
 * Finds the job that uses a consumer group. Each job that reads with a {@link TokenSource} is the
 * member of a second group, {@code GROUP.owner}, and commits its name there.
 */
@Internal
public final class GroupOwners {

    /** The time after which Kafka removes the member of a job that has died. */
    public static final Duration SESSION_TIMEOUT = Duration.ofSeconds(10);

    private GroupOwners() {}

    /**
     * The job that uses a group.
     *
     * @param job the id of the Flink job; empty if it has just joined and is not known yet
     * @param host the machine of its JobManager
     */
    public record Owner(String job, String host) {

        private static final String SEPARATOR = " on ";

        @Override
        public String toString() {
            return job + SEPARATOR + host;
        }

        private static Owner parse(String text) {
            String[] parts = text.split(SEPARATOR, 2);
            return new Owner(parts[0], parts.length == 2 ? parts[1] : "");
        }
    }

    /** The second group of a group. */
    public static String groupOf(String group) {
        return group + ".owner";
    }

    /** The partition for which a job commits its name. */
    static TopicPartition partitionOf(String topic) {
        return new TopicPartition(topic, 0);
    }

    /**
     * Finds the job that uses a group; empty if there is none.
     *
     * @param topic the topic that it reads
     * @throws ExecutionException if the brokers do not say it
     */
    public static Optional<Owner> find(Admin admin, String group, String topic)
            throws ExecutionException, InterruptedException {
        String owners = groupOf(group);
        try {
            ConsumerGroupDescription description =
                    admin.describeConsumerGroups(Set.of(owners))
                            .describedGroups()
                            .get(owners)
                            .get();
            if (description.members().isEmpty()) {
                return Optional.empty();
            }
            OffsetAndMetadata committed =
                    admin.listConsumerGroupOffsets(owners)
                            .partitionsToOffsetAndMetadata()
                            .get()
                            .get(partitionOf(topic));
            return Optional.of(
                    committed == null ? new Owner("", "") : Owner.parse(committed.metadata()));
        } catch (ExecutionException e) {
            if (e.getCause() instanceof GroupIdNotFoundException) {
                return Optional.empty();
            }
            throw e;
        }
    }
}
