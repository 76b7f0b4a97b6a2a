// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.execution.SuppressRestartsException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.errors.AuthenticationException;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Shows that a job uses what it claims, such as its consumer group, as the only member of a group
 * of owners.
 *
 * <p>The source assigns partitions itself, so its own group has no members, and two jobs could read
 * with it side by side. Every job joins the group of owners with the same static member id, and
 * commits its own id. Kafka then removes the older member, which so learns of the newer job. Before
 * that, {@link GroupOwners} lets a start see that another job has the claim.
 *
 * <p>A job commits its id for a partition of its own source topic, because Kafka takes offsets of
 * existing topics only. The offset counts the jobs, so the highest one names the present job,
 * whichever topic that reads.
 */
@Internal
final class GroupOwner implements SourceWatch {

    private static final Logger LOG = LoggerFactory.getLogger(GroupOwner.class);

    private static final String MEMBER = "owner";
    private static final Duration POLL = Duration.ofMillis(100);

    /** The looks, one a second, in which a job that was removed asks for its successor. */
    private static final int QUESTIONS = 30;

    private final String topic;
    private final Claim claim;
    private final GroupOwners.Owner self;
    private final Properties properties;
    private final KafkaConsumer<byte[], byte[]> consumer;
    private boolean active = true;
    private boolean committed;
    private int questions;

    /**
     * Joins the group of owners. It takes some calls of {@link #look}.
     *
     * @param topic the topic that the job reads
     * @param properties the properties of the consumer
     * @param job the id of the Flink job
     */
    GroupOwner(Claim claim, String topic, Properties properties, String job) {
        this.claim = claim;
        this.topic = topic;
        this.self = new GroupOwners.Owner(job, hostName());
        this.properties = new Properties();
        this.properties.putAll(properties);
        Properties owner = new Properties();
        owner.putAll(properties);
        owner.put(ConsumerConfig.GROUP_ID_CONFIG, claim.owners());
        owner.put(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG, MEMBER);
        owner.put(ConsumerConfig.GROUP_PROTOCOL_CONFIG, "classic");
        owner.put(ConsumerConfig.CLIENT_ID_CONFIG, "flink-moe-owner-" + job);
        owner.put(
                ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG,
                (int) GroupOwners.SESSION_TIMEOUT.toMillis());
        owner.put(
                ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG,
                (int) GroupOwners.SESSION_TIMEOUT.toMillis() / 4);
        owner.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        owner.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "latest");
        consumer =
                new KafkaConsumer<>(
                        owner, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        consumer.subscribe(List.of(topic), new PauseAll());
    }

    /**
     * Keeps the membership.
     *
     * @throws SuppressRestartsException if another job has taken what this job claims
     */
    @Override
    public synchronized List<String> look() {
        if (questions > 0) {
            questions--;
            failIfReplaced();
            return List.of();
        }
        if (!active) {
            return List.of();
        }
        try {
            consumer.poll(POLL);
            if (!committed && !consumer.assignment().isEmpty()) {
                commitName();
                committed = true;
            }
        } catch (FencedInstanceIdException e) {
            active = false;
            questions = QUESTIONS;
        } catch (AuthorizationException | AuthenticationException | ConfigException e) {
            active = false;
            LOG.warn(
                    "Cannot join the consumer group {}, so a second job with {} would not be"
                            + " noticed: {}",
                    claim.owners(),
                    claim.text(),
                    e.getMessage());
        } catch (ExecutionException | KafkaException e) {
            LOG.debug("The consumer group cannot be reached now, or the source is closing", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return List.of();
    }

    /** Kafka accepts this of the present member only. */
    private void commitName() throws ExecutionException, InterruptedException {
        try (Admin admin = Admin.create(properties)) {
            long next = GroupOwners.jobs(admin, claim) + 1;
            consumer.commitSync(
                    Map.of(
                            new TopicPartition(topic, 0),
                            new OffsetAndMetadata(next, self.toString())));
        }
    }

    /** A second JobManager of the same job is a matter of Flink's leader election. */
    private void failIfReplaced() {
        try (Admin admin = Admin.create(properties)) {
            Optional<GroupOwners.Owner> owner = GroupOwners.find(admin, claim);
            if (owner.isPresent()
                    && !owner.get().job().isEmpty()
                    && !owner.get().job().equals(self.job())) {
                throw new SuppressRestartsException(
                        new IllegalStateException(
                                ("the job %s has started and also uses %s; this job ends. Start each job"
                                                + " with a consumer group and transactional ids of its own")
                                        .formatted(owner.get(), claim.text())));
            }
        } catch (ExecutionException | KafkaException e) {
            LOG.warn("Cannot find the job that has taken {}", claim.text(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static String hostName() {
        try {
            return InetAddress.getLocalHost().getHostName();
        } catch (UnknownHostException e) {
            return "an unknown host";
        }
    }

    /** Leaves the group, so that the next job can start at once. */
    @Override
    public void close() {
        consumer.wakeup();
        synchronized (this) {
            consumer.close(
                    CloseOptions.timeout(Duration.ofSeconds(2))
                            .withGroupMembershipOperation(
                                    active
                                            ? CloseOptions.GroupMembershipOperation.LEAVE_GROUP
                                            : CloseOptions.GroupMembershipOperation
                                                    .REMAIN_IN_GROUP));
            active = false;
        }
    }

    /** The consumer is a member only. The source's readers read the records. */
    private final class PauseAll implements ConsumerRebalanceListener {
        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            consumer.pause(partitions);
            committed = false; // Another job may have had the group meanwhile.
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {}
    }
}
