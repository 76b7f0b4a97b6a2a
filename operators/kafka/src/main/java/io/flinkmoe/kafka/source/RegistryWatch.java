// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import io.flinkmoe.kafka.registry.RegistryException;
import io.flinkmoe.kafka.registry.RegistrySettings;
import io.flinkmoe.kafka.registry.SchemaRegistry;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.function.LongSupplier;
import org.apache.flink.annotation.Internal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Finds that the schema registry is away, so that the source may wait for it. */
@Internal
final class RegistryWatch implements SourceWatch {

    private static final Logger LOG = LoggerFactory.getLogger(RegistryWatch.class);

    private static final Duration PERIOD = Duration.ofSeconds(5);

    private final RegistrySettings settings;
    private final LongSupplier clock;
    private SchemaRegistry registry;
    private List<String> found = List.of();
    private Instant since;
    private long next = Long.MIN_VALUE;

    /**
     * @param clock the time in milliseconds
     */
    RegistryWatch(RegistrySettings settings, LongSupplier clock) {
        this.settings = settings;
        this.clock = clock;
    }

    @Override
    public List<String> look() {
        long now = clock.getAsLong();
        if (now < next) {
            return found;
        }
        next = now + PERIOD.toMillis();
        try {
            if (registry == null) {
                registry = new SchemaRegistry(settings);
            }
            registry.ping();
            since = null;
            found = List.of();
        } catch (RegistryException e) {
            since = since == null ? Instant.ofEpochMilli(now) : since;
            found =
                    List.of(
                            ("The schema registry is away since %s (%s): records wait whose schema is"
                                            + " not known yet, and all records after them.")
                                    .formatted(
                                            since.truncatedTo(ChronoUnit.SECONDS), e.getMessage()));
        } catch (IOException e) {
            LOG.debug("The registry cannot be watched from the JobManager", e);
        }
        return found;
    }

    @Override
    public void close() {}
}
