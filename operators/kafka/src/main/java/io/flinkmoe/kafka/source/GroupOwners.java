// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.time.Duration;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.errors.GroupIdNotFoundException;

/**
 * Finds the job that has a {@link Claim}. Each job that reads with a {@link TokenSource} is the
 * member of the claim's group of owners, and commits its name there.
 */
@Internal
public final class GroupOwners {

    /** The time after which Kafka removes the member of a job that has died. */
    public static final Duration SESSION_TIMEOUT = Duration.ofSeconds(10);

    private GroupOwners() {}

    /**
     * The job that has a claim.
     *
     * @param job the id of the Flink job; empty if it is not known, because the job has just joined
     *     or reads a topic that this client may not describe
     * @param host the machine of its JobManager
     */
    public record Owner(String job, String host) {

        private static final String SEPARATOR = " on ";

        @Override
        public String toString() {
            return job + SEPARATOR + host;
        }

        /** The job in words. */
        public String text() {
            return job.isEmpty()
                    ? "a job that has just started, or whose topic this user may not describe,"
                    : "the job " + this;
        }

        private static Owner parse(String text) {
            String[] parts = text.split(SEPARATOR, 2);
            return new Owner(parts[0], parts.length == 2 ? parts[1] : "");
        }
    }

    /**
     * Finds the job that has a claim; empty if there is none.
     *
     * @throws ExecutionException if the brokers do not say it
     */
    public static Optional<Owner> find(Admin admin, Claim claim)
            throws ExecutionException, InterruptedException {
        if (members(admin, claim.owners()).isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(
                newest(admin, claim)
                        .map(newest -> Owner.parse(newest.metadata()))
                        .orElse(new Owner("", "")));
    }

    /**
     * The members of a group. A job that reads with a {@link TokenSource} is not a member of its
     * own group.
     *
     * @throws ExecutionException if the brokers do not say it
     */
    public static Collection<MemberDescription> members(Admin admin, String group)
            throws ExecutionException, InterruptedException {
        try {
            return admin.describeConsumerGroups(Set.of(group))
                    .describedGroups()
                    .get(group)
                    .get()
                    .members();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof GroupIdNotFoundException) {
                return List.of();
            }
            throw e;
        }
    }

    /** The number of jobs that have had a claim, as far as their topics still exist. */
    static long jobs(Admin admin, Claim claim) throws ExecutionException, InterruptedException {
        return newest(admin, claim).map(OffsetAndMetadata::offset).orElse(0L);
    }

    /** What the last job that had a claim has committed. */
    private static Optional<OffsetAndMetadata> newest(Admin admin, Claim claim)
            throws ExecutionException, InterruptedException {
        return admin
                .listConsumerGroupOffsets(claim.owners())
                .partitionsToOffsetAndMetadata()
                .get()
                .values()
                .stream()
                .filter(Objects::nonNull)
                .max(Comparator.comparingLong(OffsetAndMetadata::offset));
    }
}
