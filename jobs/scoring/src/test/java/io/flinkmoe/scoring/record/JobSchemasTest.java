// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.kafka.pinned.PinnedSchemas;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JobSchemasTest {

    @TempDir private Path dir;

    @Test
    void aFileThatCannotBeUsedIsAnErrorInItsOption() throws Exception {
        Path missing = dir.resolve("missing.avsc");
        Path broken = Files.writeString(dir.resolve("broken.avsc"), "{\n}}");
        Path text = Files.writeString(dir.resolve("text.avsc"), "\"string\"");
        for (ConfigOption<String> option :
                List.of(
                        RecordOptions.SCHEMA,
                        RecordOptions.KEY_SCHEMA,
                        RecordOptions.ANSWER_SCHEMA)) {
            assertRefused(
                    option,
                    missing,
                    "%s: the schema file %s cannot be used: there is no such file");
            assertRefused(
                    option,
                    broken,
                    "%s: the schema file %s cannot be used: it has no Avro schema: No type: {}");
            assertRefused(
                    option,
                    text,
                    "%s: the file %s has a schema of the type string; allowed: a record");
        }
    }

    private static void assertRefused(ConfigOption<String> option, Path file, String message) {
        assertThatThrownBy(() -> get(option, file))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(message.formatted(option.key(), file));
    }

    @Test
    void aFileHasTheSchemaOfARecord() throws Exception {
        Path file =
                Files.writeString(
                        dir.resolve("a.avsc"),
                        "{\"type\": \"record\", \"name\": \"A\", \"fields\": []}");
        assertThat(get(RecordOptions.SCHEMA, file).origin()).isEqualTo("the file " + file);
    }

    private static PinnedSchemas.Pinned get(ConfigOption<String> option, Path file)
            throws Exception {
        Configuration options = Configuration.fromMap(Map.of(option.key(), file.toString()));
        RecordContext job = new RecordContext(options, "in", "out", Optional.empty());
        return new JobSchemas(job, Optional.empty()).get(option, PinnedSchemas.VALUE, "in-value");
    }
}
