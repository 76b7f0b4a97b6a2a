// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import static org.assertj.core.api.Assertions.assertThat;

import org.apache.avro.Schema;
import org.apache.avro.SchemaBuilder;
import org.junit.jupiter.api.Test;

class ReaderSchemaTest {

    @Test
    void recursiveSchemasAreAdaptedOnce() {
        Schema tree =
                new Schema.Parser()
                        .parse(
                                """
                                {"type": "record", "name": "Tree", "aliases": ["T"], "fields": [
                                  {"name": "left", "type": ["Tree", "null"]},
                                  {"name": "kept", "type": ["int", "null"], "default": 3}]}""");

        Schema adapted = ReaderSchema.of(tree);

        assertThat(adapted.getField("left").hasDefaultValue()).isTrue();
        assertThat(adapted.getField("left").schema().getTypes().get(1)).isSameAs(adapted);
        assertThat(adapted.getField("kept").defaultVal()).isEqualTo(3);
        assertThat(adapted.getAliases()).contains("T");
        assertThat(ReaderSchema.dropped(tree, adapted)).isEmpty();
    }

    @Test
    void namesTheFieldsThatTheReaderLacksAlsoInArraysAndMaps() {
        Schema writer =
                outer(
                        SchemaBuilder.record("In")
                                .fields()
                                .requiredInt("a")
                                .requiredInt("b")
                                .endRecord());
        Schema reader = outer(SchemaBuilder.record("In").fields().requiredInt("a").endRecord());

        assertThat(ReaderSchema.dropped(writer, reader)).containsExactly("list.b");
        assertThat(ReaderSchema.dropped(reader, writer)).isEmpty();
    }

    private static Schema outer(Schema inner) {
        return SchemaBuilder.record("Out")
                .fields()
                .name("list")
                .type()
                .array()
                .items()
                .map()
                .values(inner)
                .noDefault()
                .endRecord();
    }
}
