// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.Dropless;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.capacity.GlobalWindow;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WeightRule;
import java.time.Duration;
import java.util.Map;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MoeSettingsTest {

    @Test
    void hasTheDefaults() {
        MoeSettings settings = MoeSettings.of(new Configuration());
        assertThat(settings)
                .isEqualTo(
                        new MoeSettings(
                                16,
                                256,
                                Duration.ofMillis(5),
                                new ExpertBatching(256, Duration.ofMillis(2), false),
                                0,
                                MoeOptions.OnError.FAIL,
                                new Dropless(),
                                ExpertPlacement.DEFAULT,
                                LatencyProfile.BALANCED,
                                false));
        assertThat(settings.windows()).isEqualTo(new GlobalWindow());
    }

    @Test
    void readsEveryOption() {
        MoeSettings settings =
                settings(
                        "moe.lanes", "3",
                        "moe.batch.size", "7",
                        "moe.batch.linger", "0 ms",
                        "moe.expert.batch.size", "65536",
                        "moe.expert.batch.linger", "1 s",
                        "moe.expert.batch.padding", "true",
                        "moe.expert.parallelism", "4",
                        "moe.expert.on-error", "residual",
                        "moe.capacity.policy", "fixed",
                        "moe.capacity.size", "0",
                        "moe.capacity.window.size", "1 h");
        assertThat(settings.lanes()).isEqualTo(3);
        assertThat(settings.batchSize()).isEqualTo(7);
        assertThat(settings.batchLinger()).isZero();
        assertThat(settings.expertBatching())
                .isEqualTo(new ExpertBatching(65_536, Duration.ofSeconds(1), true));
        assertThat(settings.expertParallelism()).isEqualTo(4);
        assertThat(settings.onError()).isEqualTo(MoeOptions.OnError.RESIDUAL);
        assertThat(settings.capacity()).isEqualTo(FirstCome.of(new TumblingWindows(3_600_000), 0));
        assertThat(settings.windows().size()).isEqualTo(3_600_000);
    }

    @Test
    void readsEveryPartOfACapacityFactor() {
        MoeSettings settings =
                settings(
                        "moe.capacity.policy", "factor",
                        "moe.capacity.admission", "prioritized",
                        "moe.capacity.order", "token-priority",
                        "moe.capacity.factor", "1.25",
                        "moe.capacity.factor-times-k", "false",
                        "moe.capacity.arithmetic", "quotient-float32",
                        "moe.capacity.rounding", "half-even",
                        "moe.capacity.minimum", "4",
                        "moe.capacity.multiple-of", "2",
                        "moe.capacity.at-most-window", "true",
                        "moe.capacity.weights", "survivors");
        CapacityFormula formula =
                new CapacityFormula(
                        1.25,
                        false,
                        CapacityFormula.Arithmetic.QUOTIENT_FLOAT32,
                        CapacityFormula.Rounding.HALF_EVEN,
                        4,
                        2,
                        true);
        assertThat(settings.capacity())
                .isEqualTo(
                        AtWindowClose.of(
                                        new TumblingWindows(60_000),
                                        formula,
                                        AdmissionOrder.TOKEN_PRIORITY)
                                .withWeightRule(WeightRule.SURVIVORS));
    }

    @Test
    void takesTheChoicesOfABalancedLoadByDefault() {
        MoeSettings settings =
                settings(
                        "moe.capacity.policy", "factor",
                        "moe.capacity.admission", "prioritized",
                        "moe.capacity.factor", "1");
        CapacityFormula formula =
                CapacityFormula.of(
                        1, true, CapacityFormula.Arithmetic.PRODUCT, CapacityFormula.Rounding.CEIL);
        assertThat(settings.capacity())
                .isEqualTo(
                        new AtWindowClose(
                                new TumblingWindows(60_000),
                                formula,
                                AdmissionOrder.POSITION,
                                WeightRule.ROUTER,
                                0));
    }

    @Test
    void refusesAFactorWithoutPrioritizedAdmission() {
        assertThatThrownBy(
                        () -> settings("moe.capacity.policy", "factor", "moe.capacity.factor", "1"))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "moe.capacity.policy is factor, but moe.capacity.admission is first-come;"
                                + " allowed with it: prioritized, because the number of tokens in a"
                                + " window is not known before it closes");
    }

    @Test
    void asksForTheFactor() {
        assertThatThrownBy(
                        () ->
                                settings(
                                        "moe.capacity.policy", "factor",
                                        "moe.capacity.admission", "prioritized"))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "moe.capacity.policy is factor, but moe.capacity.factor is not set; give"
                                + " the capacity factor, 0 or more");
    }

    @ParameterizedTest(name = "{0}: {1}")
    @CsvSource({
        "moe.capacity.factor, -0.5, 0 or more",
        "moe.capacity.factor, NaN, 0 or more",
        "moe.capacity.factor, Infinity, 0 or more",
        "moe.capacity.minimum, -1, 0 to 2147483647",
        "moe.capacity.multiple-of, 0, 1 to 2147483647",
    })
    void refusesAnIllegalPartOfACapacityFactor(String key, String value, String allowed) {
        Configuration options = new Configuration();
        options.setString("moe.capacity.policy", "factor");
        options.setString("moe.capacity.admission", "prioritized");
        options.setString("moe.capacity.factor", "1");
        options.setString(key, value);
        assertThatThrownBy(() -> MoeSettings.of(options))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage("%s is %s; allowed: %s", key, value, allowed);
    }

    @ParameterizedTest(name = "{0}: {1}")
    @CsvSource({
        "moe.lanes, 0, 1 to 32768",
        "moe.lanes, -1, 1 to 32768",
        "moe.lanes, 32769, 1 to 32768",
        "moe.batch.size, 0, 1 to 65536",
        "moe.batch.size, 65537, 1 to 65536",
        "moe.batch.linger, PT-0.001S, 0 ms to 36500 d",
        "moe.batch.linger, PT2562047788015H, 0 ms to 36500 d",
        "moe.expert.batch.size, 0, 1 to 65536",
        "moe.expert.batch.size, 65537, 1 to 65536",
        "moe.expert.batch.linger, PT-1S, 0 ms to 36500 d",
        "moe.expert.batch.linger, PT2562047788015H, 0 ms to 36500 d",
        "moe.expert.parallelism, 0, 1 to 32768",
        "moe.expert.parallelism, -1, 1 to 32768",
        "moe.expert.parallelism, 32769, 1 to 32768",
        "moe.capacity.size, -1, 0 to 2147483647",
        "moe.capacity.window.size, PT0S, 1 ms to 36500 d",
        "moe.capacity.window.size, PT0.0001S, 1 ms to 36500 d",
        "moe.capacity.window.size, PT-1S, 1 ms to 36500 d",
        "moe.capacity.window.size, PT876024H, 1 ms to 36500 d",
        "moe.capacity.window.size, PT2562047788015H, 1 ms to 36500 d",
    })
    void refusesAnIllegalValueNamingKeyValueAndWhatIsAllowed(
            String key, String value, String allowed) {
        Configuration options = fixedCapacity();
        if (value.startsWith("PT")) {
            options.set(durationOption(key), Duration.parse(value));
        } else {
            options.setString(key, value);
        }
        assertThatThrownBy(() -> MoeSettings.of(options))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage("%s is %s; allowed: %s", key, value, allowed);
    }

    @ParameterizedTest(name = "{0}: {1}")
    @CsvSource({
        "moe.lanes, many",
        "moe.batch.size, 1.5",
        "moe.batch.linger, 5 parsecs",
        "moe.expert.batch.linger, -5 ms",
        "moe.expert.parallelism, 99999999999",
        "moe.expert.on-error, ignore",
        "moe.capacity.policy, half",
        "moe.capacity.admission, last-come",
        "moe.capacity.order, alphabetic",
        "moe.capacity.weights, all",
        "moe.capacity.size, x",
    })
    void refusesWhatIsNoValueAtAllNamingKeyAndValue(String key, String value) {
        Configuration options = fixedCapacity();
        options.setString(key, value);
        assertThatThrownBy(() -> MoeSettings.of(options))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining(key)
                .hasMessageContaining(value);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "moe.capacity.policy: fixed, moe.capacity.size: 5; moe.capacity.policy is set, and an"
                        + " expert counts its capacity in one subtask",
                "moe.expert.parallelism: 3; moe.expert.parallelism is 3, and the experts run in the"
                        + " subtasks of all other parts",
                "moe.expert.slot-sharing-group: gpus; moe.expert.slot-sharing-group is gpus, and the"
                        + " experts run in the slots of all other parts",
                "moe.expert.device: cuda; moe.expert.device is cuda, and every subtask would need the"
                        + " experts in GPU memory"
            })
    void refusesToReplicateWithTheReason(String others, String reason) {
        Configuration options = new Configuration();
        for (String option : others.split(", ")) {
            options.setString(option.split(": ")[0], option.split(": ")[1]);
        }
        options.setString("moe.expert.placement", "replicated");
        assertThatThrownBy(() -> MoeSettings.of(options))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "moe.expert.placement is replicated, but %s; allowed then: partitioned, auto"
                                .formatted(reason));

        options.setString("moe.expert.placement", "auto");
        assertThat(MoeSettings.of(options).isReplicated()).isFalse();
    }

    @Test
    void setsAllWaitingTimesTogetherUnlessOneIsGiven() {
        MoeSettings low = settings("moe.latency", "low");
        assertThat(low.batchLinger()).isEqualTo(Duration.ofMillis(2));
        assertThat(low.expertBatching().linger()).isZero();
        assertThat(low.latency().bufferTimeout()).isEqualTo(Duration.ofMillis(1));

        MoeSettings mixed = settings("moe.latency", "THROUGHPUT", "moe.batch.linger", "3 ms");
        assertThat(mixed.batchLinger()).isEqualTo(Duration.ofMillis(3));
        assertThat(mixed.expertBatching().linger()).isEqualTo(Duration.ofMillis(10));
        assertThat(mixed.latency().producerLinger()).isEqualTo(Duration.ofMillis(20));
    }

    @Test
    void replicatesByItselfIfNothingRulesItOut() {
        Configuration options = new Configuration();
        assertThat(MoeSettings.of(options).isReplicated()).isFalse();
        options.setString("moe.expert.placement", "auto");
        assertThat(MoeSettings.of(options).isReplicated()).isTrue();
    }

    @Test
    void asksForTheTokensOfAFixedCapacity() {
        assertThatThrownBy(() -> settings("moe.capacity.policy", "fixed"))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "moe.capacity.policy is fixed, but moe.capacity.size is not set; give"
                                + " the number of choices that an expert executes per window, 0 or more");
    }

    private static Configuration fixedCapacity() {
        Configuration options = new Configuration();
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
        options.set(MoeOptions.CAPACITY_SIZE, 1);
        return options;
    }

    private static ConfigOption<Duration> durationOption(String key) {
        return Map.of(
                        "moe.batch.linger", MoeOptions.BATCH_LINGER,
                        "moe.expert.batch.linger", MoeOptions.EXPERT_BATCH_LINGER,
                        "moe.capacity.window.size", MoeOptions.CAPACITY_WINDOW_SIZE)
                .get(key);
    }

    private static MoeSettings settings(String... keysAndValues) {
        Configuration options = new Configuration();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            options.setString(keysAndValues[i], keysAndValues[i + 1]);
        }
        return MoeSettings.of(options);
    }
}
