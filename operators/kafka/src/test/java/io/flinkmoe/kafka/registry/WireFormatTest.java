// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.apache.avro.Schema;
import org.apache.avro.SchemaBuilder;
import org.junit.jupiter.api.Test;

class WireFormatTest {

    @Test
    void headerIsAZeroByteAndAnIdInFourBytes() {
        byte[] message = WireFormat.message(0x01020304, new byte[] {9, 8});

        assertThat(message).containsExactly(0, 1, 2, 3, 4, 9, 8);
        assertThat(WireFormat.hasHeader(message)).isTrue();
        assertThat(WireFormat.schemaId(message)).isEqualTo(0x01020304);
    }

    @Test
    void otherBytesHaveNoHeader() {
        assertThat(WireFormat.hasHeader(null)).isFalse();
        assertThat(WireFormat.hasHeader(new byte[4])).isFalse();
        assertThat(WireFormat.hasHeader(new byte[] {1, 0, 0, 0, 1})).isFalse();
    }

    @Test
    void subjectsAreThoseOfConfluentsStrategies() {
        Schema schema = SchemaBuilder.record("Payment").namespace("com.bank").fields().endRecord();

        assertThat(SubjectStrategy.TOPIC_NAME.ofValues("in", schema)).isEqualTo("in-value");
        assertThat(SubjectStrategy.RECORD_NAME.ofValues("in", schema))
                .isEqualTo("com.bank.Payment");
        assertThat(SubjectStrategy.TOPIC_RECORD_NAME.ofValues("in", schema))
                .isEqualTo("in-com.bank.Payment");
        assertThat(SubjectStrategy.values())
                .extracting(SubjectStrategy::toString)
                .containsExactly("topic-name", "record-name", "topic-record-name");
    }

    @Test
    void refusesUrlsThatCannotBeOrThatCarrySecrets() {
        for (String url : List.of("http://me:geheim@host", "ftp://host", "http:///x", "host:80")) {
            assertThatThrownBy(() -> settings(url))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageNotContaining("geheim");
        }
        assertThatThrownBy(() -> settings("http://me:geheim@ho st"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("a URL is malformed; allowed: such as http://host:8081")
                .hasNoCause();
        assertThat(settings("http://host:8081/path/").urls().get(0))
                .hasToString("http://host:8081/path");
    }

    private static RegistrySettings settings(String url) {
        return new RegistrySettings(RegistrySettings.urls(List.of(url)), Credentials.NONE, null);
    }
}
