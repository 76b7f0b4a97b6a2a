// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.registry;

import java.io.IOException;
import java.io.Serializable;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.consumer.ConsumerConfig;

/**
 * How one source uses a registry. All its subtasks in a process share the schemas.
 *
 * @param id what identifies the source in a process
 * @param parts the parts of Kafka's records that have the ids of schemas
 */
@Internal
public record RegistryUse(String id, RegistrySettings settings, Parts parts)
        implements Serializable {

    /** The consumer property with the id. It has no secret. */
    static final String ID_PROPERTY = "flink-moe.schemas";

    /** The consumer properties that say whether values, and keys, have the ids of schemas. */
    static final String VALUES_PROPERTY = "flink-moe.schemas.of-values";

    static final String KEYS_PROPERTY = "flink-moe.schemas.of-keys";

    private static final Map<String, Shared> SHARED = new HashMap<>();

    /** A deserializer of records whose schemas may be in a registry. */
    public interface ByDeserializer {

        /** The use of a registry; empty if it uses none. */
        Optional<RegistryUse> registry();

        /** The fields of records so far that the job's schema does not have, by path. */
        Set<String> droppedFields();
    }

    /** Which parts of Kafka's records have the ids of schemas. */
    public record Parts(boolean ofValues, boolean ofKeys) implements Serializable {}

    private static final class Shared {
        private final WriterSchemas schemas;
        private int users;

        Shared(WriterSchemas schemas) {
            this.schemas = schemas;
        }
    }

    /** Lets the threads of a consumer wait until the schemas of its records are known. */
    public void configure(Properties consumer) {
        String key = ConsumerConfig.INTERCEPTOR_CLASSES_CONFIG;
        String own = SchemaInterceptor.class.getName();
        String others = consumer.getProperty(key, "");
        consumer.setProperty(key, others.isBlank() ? own : own + "," + others);
        consumer.setProperty(ID_PROPERTY, id);
        consumer.setProperty(VALUES_PROPERTY, String.valueOf(parts.ofValues));
        consumer.setProperty(KEYS_PROPERTY, String.valueOf(parts.ofKeys));
    }

    /**
     * Returns the schemas. Each user releases them.
     *
     * @throws IOException if the trust store cannot be read
     */
    public WriterSchemas acquire() throws IOException {
        synchronized (SHARED) {
            Shared shared = SHARED.get(id);
            if (shared == null) {
                shared = new Shared(new WriterSchemas(new SchemaRegistry(settings)::byId));
                SHARED.put(id, shared);
            }
            shared.users++;
            return shared.schemas;
        }
    }

    /** Closes the schemas when their last user has released them. */
    public void release() {
        synchronized (SHARED) {
            Shared shared = SHARED.get(id);
            if (shared != null && --shared.users == 0) {
                shared.schemas.close();
                SHARED.remove(id);
            }
        }
    }

    /** The schemas that some user has acquired. */
    static Optional<WriterSchemas> find(String id) {
        synchronized (SHARED) {
            return Optional.ofNullable(SHARED.get(id)).map(shared -> shared.schemas);
        }
    }
}
