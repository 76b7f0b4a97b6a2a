// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import io.flinkmoe.kafka.source.GroupOwners;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.PipelineOptionsInternal;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.errors.AuthorizationException;

/**
 * Makes sure before a job starts that no other job uses its consumer group. Two jobs with one group
 * would both read all records, and each would abort the transactions of the other.
 */
@Internal
public final class GroupCheck {

    private static final Duration PERIOD = Duration.ofMillis(500);

    /** A job that has died leaves the group within this time. */
    private static final Duration PATIENCE = GroupOwners.SESSION_TIMEOUT.plusSeconds(2);

    private GroupCheck() {}

    /**
     * Waits until no other job uses the group. It waits for a job that may have just died; with
     * {@link KafkaOptions#TAKE_OVER}, it waits until the other job has ended.
     *
     * @param options the options of the job
     * @param flinkOptions the Flink options of the job; in application mode they contain the job's
     *     id, which a JobManager that takes over has, too
     * @param messages receives what it waits for, and why it cannot check
     * @throws IOException if another job uses the group, or if the brokers do not respond
     */
    public static void awaitFree(
            ReadableConfig options, ReadableConfig flinkOptions, Consumer<String> messages)
            throws IOException {
        String group = options.get(KafkaOptions.SOURCE_GROUP_ID);
        String self =
                flinkOptions.getOptional(PipelineOptionsInternal.PIPELINE_FIXED_JOB_ID).orElse("");
        boolean takeOver = options.get(KafkaOptions.TAKE_OVER);
        long start = System.nanoTime();
        boolean said = false;
        try (Admin admin = Admin.create(KafkaOptions.clientProperties(options))) {
            while (true) {
                Optional<GroupOwners.Owner> owner =
                        GroupOwners.find(admin, group, options.get(KafkaOptions.SOURCE_TOPIC));
                if (owner.isEmpty() || !self.isEmpty() && owner.get().job().equals(self)) {
                    return;
                }
                boolean isPatient = System.nanoTime() - start < PATIENCE.toNanos();
                if (!takeOver && !isPatient) {
                    throw new IOException(inUse(group, owner.get()));
                }
                if (!said) {
                    said = true;
                    messages.accept(
                            takeOver
                                    ? "waits until %s, which uses the consumer group %s, has ended"
                                            .formatted(describe(owner.get()), group)
                                    : "%s uses the consumer group %s; waits %d s, in case it has died"
                                            .formatted(
                                                    describe(owner.get()),
                                                    group,
                                                    PATIENCE.toSeconds()));
                }
                Thread.sleep(PERIOD.toMillis());
            }
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof AuthorizationException)) {
                throw new IOException(unknown(group, e.getCause()), e.getCause());
            }
            messages.accept(unauthorized(group));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while waiting for another job", e);
        }
    }

    /** Says whether another job uses the group, without waiting. */
    public static void warn(ReadableConfig options, Consumer<String> warnings) throws IOException {
        String group = options.get(KafkaOptions.SOURCE_GROUP_ID);
        try (Admin admin = Admin.create(KafkaOptions.clientProperties(options))) {
            GroupOwners.find(admin, group, options.get(KafkaOptions.SOURCE_TOPIC))
                    .ifPresent(owner -> warnings.accept(inUse(group, owner)));
        } catch (ExecutionException e) {
            warnings.accept(
                    e.getCause() instanceof AuthorizationException
                            ? unauthorized(group)
                            : unknown(group, e.getCause()));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static String inUse(String group, GroupOwners.Owner owner) {
        return ("%s uses the consumer group %s; stop it first, give this job another"
                        + " %s, or start with --%s to wait until that job has ended")
                .formatted(
                        describe(owner),
                        group,
                        KafkaOptions.SOURCE_GROUP_ID.key(),
                        KafkaOptions.TAKE_OVER.key().substring("moe.".length()));
    }

    private static String describe(GroupOwners.Owner owner) {
        return owner.job().isEmpty() ? "a job that has just started" : "the job " + owner;
    }

    private static String unknown(String group, Throwable cause) {
        return "cannot find out who uses the consumer group %s: %s"
                .formatted(group, cause.getMessage());
    }

    private static String unauthorized(String group) {
        return "cannot check whether another job uses the consumer group %s; allow READ on the group %s"
                .formatted(group, GroupOwners.groupOf(group));
    }
}
