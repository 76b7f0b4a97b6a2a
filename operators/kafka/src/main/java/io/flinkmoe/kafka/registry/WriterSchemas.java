// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.registry;

import io.flinkmoe.kafka.registry.RegistryException.Kind;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.avro.Schema;
import org.apache.flink.annotation.Internal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The schemas that records were written with, by their ids in the registry. The thread that fetches
 * records from Kafka waits here until it knows the ids of its records. Flink's task thread only
 * looks up what is known, so checkpoints go on meanwhile.
 *
 * <ul>
 *   <li>A registry that is away is asked again until it answers. No record is rejected for that.
 *   <li>An id that the registry does not know is asked for again for some time, because registries
 *       tell each other of schemas with a delay. Then its records are rejected. After a longer time
 *       it is asked for once more.
 *   <li>A schema that is unusable, such as one of Protobuf, is not asked for again.
 * </ul>
 */
@Internal
public final class WriterSchemas implements AutoCloseable {

    /** How long the registry is asked for an id that it does not know. */
    public static final Duration PATIENCE = Duration.ofSeconds(30);

    private static final Logger LOG = LoggerFactory.getLogger(WriterSchemas.class);

    private static final Duration FIRST_PAUSE = Duration.ofMillis(50);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(1);

    /** After this time, an id that was unknown can have become known. */
    private static final Duration FORGET = Duration.ofMinutes(5);

    private final Source source;
    private final Duration patience;
    private final Map<Integer, WriterSchema> known = new ConcurrentHashMap<>();
    private volatile Away away;
    private volatile boolean closed;

    /** Where schemas come from, such as {@link SchemaRegistry#byId}. */
    public interface Source {
        Schema byId(int id) throws RegistryException;
    }

    /**
     * Since when the registry is away.
     *
     * @param reason what it or its clients' system says
     */
    public record Away(Instant since, String reason) {}

    /**
     * What is known of an id.
     *
     * @param schema the schema; null if its records are rejected
     * @param rejection why they are rejected, or null
     * @param until when this was true at least, by {@link System#nanoTime}; for rejections only
     */
    private record WriterSchema(Schema schema, String rejection, long until) {

        boolean isOutdated(long now) {
            return rejection != null && until - now < 0;
        }
    }

    public WriterSchemas(Source source) {
        this(source, PATIENCE);
    }

    /**
     * @param patience how long the registry is asked for an id that it does not know
     */
    WriterSchemas(Source source, Duration patience) {
        this.source = source;
        this.patience = patience;
    }

    /**
     * Waits until something is known of each id, or until this is closed. Never called by Flink's
     * task thread.
     */
    public void await(Collection<Integer> ids) {
        Map<Integer, Long> unknownSince = new HashMap<>();
        Set<Integer> missing = missing(ids);
        long pause = FIRST_PAUSE.toMillis();
        while (!missing.isEmpty() && !closed) {
            for (int id : missing) {
                if (!ask(id, unknownSince)) {
                    break; // The registry is away.
                }
            }
            missing = missing(missing);
            if (!missing.isEmpty() && !pause(pause)) {
                return;
            }
            pause = Math.min(2 * pause, LONGEST_PAUSE.toMillis());
        }
    }

    private Set<Integer> missing(Collection<Integer> ids) {
        Set<Integer> missing = new LinkedHashSet<>();
        for (int id : ids) {
            WriterSchema schema = known.get(id);
            if (schema == null || schema.isOutdated(System.nanoTime())) {
                missing.add(id);
            }
        }
        return missing;
    }

    /**
     * Asks for a schema once.
     *
     * @param unknownSince since when the registry says that it does not know an id
     * @return whether the registry answers
     */
    private boolean ask(int id, Map<Integer, Long> unknownSince) {
        try {
            known.put(id, new WriterSchema(source.byId(id), null, 0));
            back();
            return true;
        } catch (RegistryException e) {
            if (e.kind() == Kind.AWAY) {
                unknownSince.clear(); // One that comes back may have to learn its schemas first.
                gone(e.getMessage());
                return false;
            }
            back();
            long now = System.nanoTime();
            long since = unknownSince.computeIfAbsent(id, i -> now);
            boolean wasUnknown = known.containsKey(id);
            if (e.kind() == Kind.UNUSABLE || wasUnknown || now - since >= patience.toNanos()) {
                LOG.warn("Records with the schema id {} are rejected: {}", id, e.getMessage());
                known.put(id, new WriterSchema(null, e.getMessage(), now + FORGET.toNanos()));
            }
            return true;
        }
    }

    private void gone(String reason) {
        Away before = away;
        away = new Away(before == null ? Instant.now() : before.since(), reason);
        if (before == null) {
            LOG.warn("The schema registry is away, so reading pauses: {}", reason);
        }
    }

    private void back() {
        if (away != null) {
            LOG.info("The schema registry answers again; it was away since {}", away.since());
            away = null;
        }
    }

    private static boolean pause(long millis) {
        try {
            Thread.sleep(millis);
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** The schema of an id; empty if its records are rejected, or nothing is known of it. */
    public Optional<Schema> schema(int id) {
        return Optional.ofNullable(known.get(id)).map(WriterSchema::schema);
    }

    /** Why the records of an id are rejected; empty if they are not. */
    public Optional<String> rejection(int id) {
        return Optional.ofNullable(known.get(id)).map(WriterSchema::rejection);
    }

    /** Since when the registry is away, if it is. */
    public Optional<Away> away() {
        return Optional.ofNullable(away);
    }

    /** Lets all threads go that wait. */
    @Override
    public void close() {
        closed = true;
    }
}
