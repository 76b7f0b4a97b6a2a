// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.registry;

import io.flinkmoe.kafka.registry.RegisteredSchema.Reference;
import io.flinkmoe.kafka.registry.RegistryException.Kind;
import java.io.IOException;
import java.util.HashSet;
import java.util.Set;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;
import org.apache.flink.annotation.PublicEvolving;

/**
 * The Avro schemas of a registry with Confluent's API, with the types that they refer to. If the
 * registry has several URLs, they are asked in turn.
 */
@PublicEvolving
public final class SchemaRegistry {

    private final RegistryClient client;

    /**
     * @throws IOException if the trust store cannot be read
     */
    public SchemaRegistry(RegistrySettings settings) throws IOException {
        client = new RegistryClient(settings);
    }

    /**
     * Makes sure that the registry answers.
     *
     * @throws RegistryException if it is away
     */
    public void ping() throws RegistryException {
        client.ping();
    }

    /** The schema with an id. */
    public Schema byId(int id) throws RegistryException {
        return parse(client.schema(id), "schema " + id);
    }

    /**
     * A version of a subject.
     *
     * @param version from 1 on
     */
    public Schema version(String subject, int version) throws RegistryException {
        Reference reference = new Reference(subject, version);
        try {
            return parse(client.schema(reference), reference.toString());
        } catch (RegistryException e) {
            throw e.about("%s cannot be had".formatted(reference));
        }
    }

    /** The number of the latest version of a subject. */
    public int latestVersion(String subject) throws RegistryException {
        try {
            return client.latestVersion(subject);
        } catch (RegistryException e) {
            throw e.about("the latest version of subject %s cannot be had".formatted(subject));
        }
    }

    /** The latest version of a subject. */
    public Schema latest(String subject) throws RegistryException {
        return version(subject, latestVersion(subject));
    }

    /** Registers a schema under a subject, unless it is there, and returns its id. */
    public int register(String subject, Schema schema) throws RegistryException {
        try {
            return client.register(subject, schema.toString());
        } catch (RegistryException e) {
            throw e.about(
                    "the schema %s cannot be registered under subject %s"
                            .formatted(schema.getFullName(), subject));
        }
    }

    /** The id that a schema has under a subject. */
    public int find(String subject, Schema schema) throws RegistryException {
        try {
            return client.find(subject, schema.toString());
        } catch (RegistryException e) {
            throw e.about(
                    "the schema %s is not found under subject %s"
                            .formatted(schema.getFullName(), subject));
        }
    }

    private Schema parse(RegisteredSchema schema, String name) throws RegistryException {
        // Whether a default fits its type is a matter between the registry and its writers.
        Schema.Parser parser = new Schema.Parser().setValidateDefaults(false);
        return parse(schema, name, parser, new HashSet<>());
    }

    /**
     * Parses a schema after those that it refers to.
     *
     * @param parser knows the types of the schemas that were parsed before
     * @param seen the references that were parsed, or are being parsed
     */
    private Schema parse(
            RegisteredSchema schema, String name, Schema.Parser parser, Set<Reference> seen)
            throws RegistryException {
        if (!schema.type().equals(RegisteredSchema.AVRO)) {
            throw new RegistryException(
                    Kind.UNUSABLE,
                    "%s has the type %s; allowed: %s"
                            .formatted(name, schema.type(), RegisteredSchema.AVRO));
        }
        for (Reference reference : schema.references()) {
            if (seen.add(reference)) {
                parse(client.schema(reference), reference.toString(), parser, seen);
            }
        }
        try {
            return parser.parse(schema.text());
        } catch (AvroRuntimeException | NullPointerException e) {
            // Avro has the latter for the name of a type that it does not know.
            throw new RegistryException(
                    Kind.UNUSABLE, "%s cannot be parsed: %s".formatted(name, e.getMessage()));
        }
    }
}
