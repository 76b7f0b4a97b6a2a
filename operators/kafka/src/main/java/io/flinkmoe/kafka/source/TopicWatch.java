// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.LongSupplier;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.execution.SuppressRestartsException;
import org.apache.flink.util.FlinkRuntimeException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.Uuid;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds what happens to the topic and the consumer group while the job runs: the topic is created
 * anew, or other consumers join the group. The source assigns partitions itself, and Kafka refuses
 * its offsets as long as the group has members.
 */
@Internal
final class TopicWatch implements SourceWatch {

    private static final Logger LOG = LoggerFactory.getLogger(TopicWatch.class);

    private static final Duration PERIOD = Duration.ofSeconds(5);
    private static final Duration TIMEOUT = Duration.ofSeconds(10);

    private final String topic;
    private final String group;
    private final MissingOffsets missing;
    private final Admin admin;
    private final LongSupplier clock;
    private Uuid id = Uuid.ZERO_UUID;
    private List<String> found = List.of();
    private long lookedAt;
    private boolean looked;

    /**
     * @param properties the properties of the consumer
     * @param clock the time in milliseconds
     */
    TopicWatch(
            String topic,
            String group,
            Properties properties,
            MissingOffsets missing,
            LongSupplier clock) {
        this.topic = topic;
        this.group = group;
        this.missing = missing;
        this.admin = Admin.create(properties);
        this.clock = clock;
    }

    /**
     * Looks for members of the group.
     *
     * @throws RuntimeException if the topic has been created anew. The readers hold offsets of the
     *     old one; restarted, they decide where to go on
     */
    @Override
    public List<String> look() {
        long now = clock.getAsLong();
        if (looked && now - lookedAt < PERIOD.toMillis()) {
            return found;
        }
        looked = true;
        lookedAt = now;
        try {
            Uuid before = id;
            id =
                    admin.describeTopics(Set.of(topic))
                            .topicNameValues()
                            .get(topic)
                            .get(TIMEOUT.toSeconds(), TimeUnit.SECONDS)
                            .topicId();
            failIfAnew(before);
            found =
                    GroupOwners.members(admin, group).stream()
                            .limit(1)
                            .map(member -> sentence(group, member))
                            .toList();
        } catch (ExecutionException | TimeoutException | KafkaException e) {
            LOG.debug("Cannot describe the topic or the group", e);
            found = List.of();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return found;
    }

    private void failIfAnew(Uuid before) {
        if (before.equals(Uuid.ZERO_UUID) || before.equals(id)) {
            return;
        }
        String anew =
                "the topic %s was created anew while the job runs: its id was %s and is %s"
                        .formatted(topic, before, id);
        if (missing == MissingOffsets.FAIL) {
            throw new SuppressRestartsException(
                    new MissingOffsetsException(
                            anew
                                    + ". Start the job without its state, or set"
                                    + " moe.source.missing-offsets to earliest or latest"));
        }
        throw new FlinkRuntimeException(anew + "; the job goes on at its " + missing + " offsets");
    }

    private static String sentence(String group, MemberDescription member) {
        return ("The consumer %s on %s is a member of the consumer group %s: Kafka refuses the offsets"
                        + " that this job commits. Give that consumer another group.")
                .formatted(member.clientId(), member.host().replaceFirst("^/", ""), group);
    }

    @Override
    public void close() {
        admin.close(Duration.ZERO);
    }
}
