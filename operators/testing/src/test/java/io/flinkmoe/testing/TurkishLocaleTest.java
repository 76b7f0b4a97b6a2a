// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.routing.RoutingConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** In Turkish, the lower case of I is ı, and the upper case of i is İ. */
class TurkishLocaleTest {

    @TempDir private Path folder;

    private final Locale before = Locale.getDefault();

    @BeforeEach
    void speakTurkish() {
        Locale.setDefault(Locale.forLanguageTag("tr-TR"));
    }

    @AfterEach
    void speakAsBefore() {
        Locale.setDefault(before);
    }

    @Test
    void bundlesAreWrittenAndReadAsEverywhere() throws Exception {
        TinyBundle.Builder builder = TinyBundle.builder().routing(RoutingConfig.sigmoid(4, 2));
        builder.writeTo(folder.resolve("turkish"));
        Locale.setDefault(Locale.ROOT);
        builder.writeTo(folder.resolve("root"));
        Locale.setDefault(Locale.forLanguageTag("tr-TR"));

        assertThat(folder.resolve("turkish/model.json"))
                .hasSameBinaryContentAs(folder.resolve("root/model.json"));
        assertThat(Files.readString(folder.resolve("turkish/model.json")))
                .contains("\"scoring_func\" : \"sigmoid\"", "\"residual\" : \"input\"");
        assertThat(Bundle.read(folder.resolve("turkish")).spec().layers()).hasSize(1);
    }

    @Test
    void optionsAreReadAsEverywhere() throws Exception {
        Configuration options = TinyBundle.builder().writeTo(folder.resolve("bundle")).options();
        options.setString(MoeOptions.CAPACITY.key(), "fixed");
        options.setString(MoeOptions.CAPACITY_SIZE.key(), "10");
        options.setString(MoeOptions.CAPACITY_ADMISSION.key(), "prioritized");
        options.setString(MoeOptions.CAPACITY_ORDER.key(), "token-priority");

        assertThat(MoeLayers.builder(options).build().inputs().words()).isEqualTo(4);
    }
}
