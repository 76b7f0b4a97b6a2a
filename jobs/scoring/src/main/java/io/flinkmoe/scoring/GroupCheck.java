// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import io.flinkmoe.kafka.source.Claim;
import io.flinkmoe.kafka.source.GroupOwners;
import io.flinkmoe.scoring.KafkaOptions.Delivery;
import java.io.IOException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.PipelineOptionsInternal;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.common.errors.AuthorizationException;

/**
 * Makes sure before a job starts that no one else uses its consumer group and its transactional
 * ids. Two jobs with one group would both read all records, and two with the same transactional ids
 * would abort each other's transactions. Kafka refuses the job's offsets while other consumers are
 * members of its group.
 */
@Internal
public final class GroupCheck {

    private static final Duration PERIOD = Duration.ofMillis(500);

    /** A job that has died leaves the group within this time. */
    private static final Duration PATIENCE = GroupOwners.SESSION_TIMEOUT.plusSeconds(2);

    private GroupCheck() {}

    /**
     * Someone else who uses what the job needs.
     *
     * @param text who it is and what it uses
     * @param remedy the option with which this job would use something else
     */
    private record User(String text, ConfigOption<String> remedy) {}

    /**
     * Waits until no one else uses the group and the transactional ids. It waits for a job that may
     * have just died; with {@link KafkaOptions#TAKE_OVER}, it waits until the other job has ended.
     *
     * @param options the options of the job
     * @param flinkOptions the Flink options of the job; in application mode they contain the job's
     *     id, which a JobManager that takes over has, too
     * @param messages receives what it waits for, and why it cannot check
     * @throws IOException if someone else uses them, or if the brokers do not respond
     */
    public static void awaitFree(
            ReadableConfig options, ReadableConfig flinkOptions, Consumer<String> messages)
            throws IOException {
        String self =
                flinkOptions.getOptional(PipelineOptionsInternal.PIPELINE_FIXED_JOB_ID).orElse("");
        boolean takeOver = options.get(KafkaOptions.TAKE_OVER);
        long start = System.nanoTime();
        boolean said = false;
        try (Admin admin = Admin.create(KafkaOptions.clientProperties(options))) {
            while (true) {
                Optional<User> user = find(admin, options, self);
                if (user.isEmpty()) {
                    return;
                }
                boolean isPatient = System.nanoTime() - start < PATIENCE.toNanos();
                if (!takeOver && !isPatient) {
                    throw new IOException(inUse(user.get()));
                }
                if (!said) {
                    said = true;
                    messages.accept(
                            takeOver
                                    ? "%s; waits until it has ended".formatted(user.get().text())
                                    : "%s; waits %d s, in case it has died"
                                            .formatted(user.get().text(), PATIENCE.toSeconds()));
                }
                Thread.sleep(PERIOD.toMillis());
            }
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof AuthorizationException)) {
                throw new IOException(unknown(options, e.getCause()), e.getCause());
            }
            messages.accept(unauthorized(options));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while waiting for another job", e);
        }
    }

    /** Says whether someone else uses the group or the transactional ids, without waiting. */
    public static void warn(ReadableConfig options, Consumer<String> warnings) throws IOException {
        try (Admin admin = Admin.create(KafkaOptions.clientProperties(options))) {
            find(admin, options, "").ifPresent(user -> warnings.accept(inUse(user)));
        } catch (ExecutionException e) {
            warnings.accept(
                    e.getCause() instanceof AuthorizationException
                            ? unauthorized(options)
                            : unknown(options, e.getCause()));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static Optional<User> find(Admin admin, ReadableConfig options, String self)
            throws ExecutionException, InterruptedException {
        for (Map.Entry<Claim, ConfigOption<String>> entry : claims(options).entrySet()) {
            Optional<GroupOwners.Owner> owner = GroupOwners.find(admin, entry.getKey());
            if (owner.isPresent() && (self.isEmpty() || !owner.get().job().equals(self))) {
                String text = owner.get().text() + " uses " + entry.getKey().text();
                return Optional.of(new User(text, entry.getValue()));
            }
        }
        String group = options.get(KafkaOptions.SOURCE_GROUP_ID);
        for (MemberDescription member : GroupOwners.members(admin, group)) {
            String text =
                    "the consumer %s on %s is a member of the consumer group %s"
                            .formatted(
                                    member.clientId(), member.host().replaceFirst("^/", ""), group);
            return Optional.of(new User(text, KafkaOptions.SOURCE_GROUP_ID));
        }
        return Optional.empty();
    }

    /** What only this job may use, and the options that name it. */
    private static Map<Claim, ConfigOption<String>> claims(ReadableConfig options) {
        Map<Claim, ConfigOption<String>> claims = new LinkedHashMap<>();
        claims.put(
                Claim.ofGroup(options.get(KafkaOptions.SOURCE_GROUP_ID)),
                KafkaOptions.SOURCE_GROUP_ID);
        if (options.get(KafkaOptions.SINK_DELIVERY) == Delivery.EXACTLY_ONCE) {
            claims.put(
                    Claim.ofTransactionalIds(KafkaOutput.transactionalIdPrefix(options)),
                    KafkaOptions.SINK_TRANSACTIONAL_ID_PREFIX);
        }
        return claims;
    }

    private static String inUse(User user) {
        return ("%s; stop it first, give this job another %s, or start with --%s to wait until it"
                        + " has ended")
                .formatted(
                        user.text(),
                        user.remedy().key(),
                        KafkaOptions.TAKE_OVER.key().substring("moe.".length()));
    }

    private static String unknown(ReadableConfig options, Throwable cause) {
        return "cannot find out who uses the consumer group %s: %s"
                .formatted(options.get(KafkaOptions.SOURCE_GROUP_ID), cause.getMessage());
    }

    private static String unauthorized(ReadableConfig options) {
        StringBuilder groups = new StringBuilder();
        claims(options).keySet().forEach(claim -> groups.append(", ").append(claim.owners()));
        return "cannot check whether another job uses the consumer group %s; allow READ on the groups %1$s%s"
                .formatted(options.get(KafkaOptions.SOURCE_GROUP_ID), groups);
    }
}
