// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.registry;

import java.io.IOException;
import java.io.Serializable;
import org.apache.avro.Schema;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Which schema a job uses: the latest version of a subject, a certain one, or that of a file. It is
 * resolved once, when the job is submitted.
 */
@PublicEvolving
public abstract class SchemaChoice implements Serializable {

    private static final long serialVersionUID = 1L;

    /** The latest version of a subject. */
    public static final SchemaChoice LATEST = new Latest();

    private static final String LATEST_WORD = "latest";

    private SchemaChoice() {}

    /**
     * A schema, and where it is from.
     *
     * @param origin such as {@code version 3 of subject payments-value}, for messages
     */
    public record Resolved(Schema schema, String origin) {}

    /**
     * Reads a choice.
     *
     * @param text {@code latest}, the number of a version, or the path of a file
     * @throws IllegalArgumentException if it is none of these
     */
    public static SchemaChoice of(String text) {
        String word = text.strip();
        if (word.equals(LATEST_WORD)) {
            return LATEST;
        } else if (word.matches("[+-]?\\d+")) {
            return new Version(version(word));
        } else if (word.isEmpty()) {
            throw new IllegalArgumentException(
                    "the schema is empty; allowed: latest, the number of a version, or the path of a file");
        }
        return new InFile(word);
    }

    private static int version(String word) {
        try {
            int version = Integer.parseInt(word);
            if (version > 0) {
                return version;
            }
        } catch (NumberFormatException e) {
            // The exception below covers this case, too.
        }
        throw new IllegalArgumentException(
                "the version of the schema is %s; allowed: 1 to %d"
                        .formatted(word, Integer.MAX_VALUE));
    }

    /** Whether it is the latest version, which can be another one later. */
    public boolean isLatest() {
        return this instanceof Latest;
    }

    /** Whether it is in a registry. */
    public boolean needsRegistry() {
        return !(this instanceof InFile);
    }

    /**
     * Returns the schema.
     *
     * @param registry the registry; a file is read without it
     * @param subject the subject in the registry
     * @throws IOException if the schema cannot be had; the message names it, and the registry
     */
    public abstract Resolved resolve(SchemaRegistry registry, String subject) throws IOException;

    /**
     * Returns the schema of a file.
     *
     * @throws IOException if it cannot be read, or has no schema; the message names the file once
     */
    public static Resolved file(String path) throws IOException {
        return new Resolved(SchemaFile.read(path), "the file " + path);
    }

    private static final class Latest extends SchemaChoice {

        private static final long serialVersionUID = 1L;

        @Override
        public Resolved resolve(SchemaRegistry registry, String subject) throws IOException {
            int version = registry.latestVersion(subject);
            return new Version(version).resolve(registry, subject);
        }

        @Override
        public String toString() {
            return LATEST_WORD;
        }
    }

    private static final class Version extends SchemaChoice {

        private static final long serialVersionUID = 1L;

        private final int number;

        Version(int number) {
            this.number = number;
        }

        @Override
        public Resolved resolve(SchemaRegistry registry, String subject) throws IOException {
            return new Resolved(
                    registry.version(subject, number),
                    "version %d of subject %s".formatted(number, subject));
        }

        @Override
        public String toString() {
            return String.valueOf(number);
        }
    }

    private static final class InFile extends SchemaChoice {

        private static final long serialVersionUID = 1L;

        private final String path;

        InFile(String path) {
            this.path = path;
        }

        @Override
        public Resolved resolve(SchemaRegistry registry, String subject) throws IOException {
            return file(path);
        }

        @Override
        public String toString() {
            return path;
        }
    }
}
