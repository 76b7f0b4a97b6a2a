// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PropertiesTextTest {

    @ParameterizedTest
    @ValueSource(strings = {"/tmp/plain folder", "/tmp/ü/ž/模型", "/tmp/😀", "C:\\new\\text"})
    void propertiesReadWhatWasEscaped(String value) throws Exception {
        byte[] file = ("dir=" + PropertiesText.escape(value)).getBytes(StandardCharsets.UTF_8);
        Properties properties = new Properties();
        properties.load(new ByteArrayInputStream(file));

        assertThat(properties).containsEntry("dir", value);
    }
}
