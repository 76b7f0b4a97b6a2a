// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.MoeOptions.CapacityPolicy;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.ScoringJob;
import io.flinkmoe.scoring.record.RecordOptions;
import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.Moe;
import io.flinkmoe.tools.Program;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class ScoreOptionsTest {

    @TempDir private Path folder;

    @Test
    void everyOptionHasAFlagAndFlagsAreTyped() throws Exception {
        Configuration options =
                options(
                        "--capacity.policy=fixed",
                        "--capacity.window.size",
                        "1 h",
                        "--lanes=8",
                        "--kafka.brokers",
                        "a:1,b:2");

        assertThat(options.get(MoeOptions.CAPACITY)).isEqualTo(CapacityPolicy.FIXED);
        assertThat(options.get(MoeOptions.CAPACITY_WINDOW_SIZE)).isEqualTo(Duration.ofHours(1));
        assertThat(options.get(MoeOptions.LANES)).isEqualTo(8);
        assertThat(options.get(KafkaOptions.BROKERS)).isEqualTo("a:1,b:2");
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu.yaml", "gpu.yaml"})
    void manifestsGiveTheProgramWhatItNeeds(String manifest) throws Exception {
        Path file = Home.ROOT.resolve("deploy/kubernetes").resolve(manifest);
        List<String> arguments = new ArrayList<>();
        new YAMLMapper()
                .readTree(file.toFile())
                .at("/spec/job/args")
                .forEach(argument -> arguments.add(argument.asText()));

        assertThat(arguments.remove(0)).isEqualTo("score");
        assertThat(options(arguments.toArray(String[]::new)).keySet())
                .contains(
                        MoeOptions.BUNDLE.key(),
                        KafkaOptions.BROKERS.key(),
                        KafkaOptions.SOURCE_TOPIC.key(),
                        KafkaOptions.SOURCE_GROUP_ID.key(),
                        KafkaOptions.SINK_TOPIC.key(),
                        KafkaOptions.DEAD_LETTER_TOPIC.key());
    }

    @Test
    void whatIsNotGivenKeepsItsDefault() throws Exception {
        Configuration options = options();

        assertThat(options.keySet()).isEmpty();
        assertThat(options.get(MoeOptions.LANES)).isEqualTo(16);
    }

    @Test
    void commandLineWinsOverDefinitionsAndTheseOverTheFile() throws Exception {
        String file = file("moe.lanes: 1", "moe.batch.size: 1", "moe.expert.batch.size: 1");

        Configuration options =
                options("--lanes=3", "-Dmoe.lanes=2", "-D", "moe.batch.size=2", "--config", file);

        assertThat(options.get(MoeOptions.LANES)).isEqualTo(3);
        assertThat(options.get(MoeOptions.BATCH_SIZE)).isEqualTo(2);
        assertThat(options.get(MoeOptions.EXPERT_BATCH_SIZE)).isEqualTo(1);
    }

    @Test
    void keysOfTheFileAreNestedOrDotted() throws Exception {
        String file =
                file(
                        "moe:",
                        "  bundle: model",
                        "  kafka.brokers: a:1",
                        "  schema: [one.avsc, two.avsc]",
                        "  capacity:",
                        "    policy: fixed",
                        "    size: 500",
                        "  kafka.properties:",
                        "    security.protocol: SSL",
                        "parallelism.default: 4");

        Configuration options = options("--config", file);

        assertThat(options.get(MoeOptions.BUNDLE)).isEqualTo("model");
        assertThat(options.get(MoeOptions.CAPACITY_SIZE)).isEqualTo(500);
        assertThat(options.get(RecordOptions.SCHEMAS)).containsExactly("one.avsc", "two.avsc");
        assertThat(options.get(KafkaOptions.PROPERTIES))
                .isEqualTo(Map.of("security.protocol", "SSL"));
        assertThat(options.get(CoreOptions.DEFAULT_PARALLELISM)).isEqualTo(4);
    }

    @ParameterizedTest
    @CsvSource({
        "moe.capacity.polcy, moe.capacity.policy",
        "moe.kafka.broker, moe.kafka.brokers",
        "moe.capacity.window, moe.capacity.window.size"
    })
    void unknownKeyNamesNearOnes(String wrong, String near) {
        assertThatThrownBy(() -> options("-D", wrong + "=x"))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageStartingWith(wrong + " is not an option; similar options: ")
                .hasMessageContaining(near);
    }

    @Test
    void unknownFlagNamesNearOnes() {
        Program program = Program.run("score", "--capacity.polcy=fixed");

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err()).contains("--capacity.polcy").contains("--capacity.policy");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "lanes | many | moe.lanes is 'many'; allowed: a whole number",
                "batch.linger | soon | moe.batch.linger is 'soon'; allowed: a duration such as",
                "sink.delivery | twice | moe.sink.delivery is 'twice'; allowed: exactly-once,",
            })
    void valueOfTheWrongTypeIsNamedWithWhatIsAllowed(String flag, String value, String message) {
        assertThatThrownBy(() -> options("--" + flag + "=" + value))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageStartingWith(message);
    }

    @Test
    void fileThatIsMissingOrNotYamlIsNamed() throws Exception {
        Path missing = folder.resolve("none.yaml");
        assertThatThrownBy(() -> options("--config", missing.toString()))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining(missing + "'; there is no such file");

        String broken = file("moe: [1, 2");
        assertThatThrownBy(() -> options("--config", broken))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageStartingWith(broken + " is not valid YAML: ");

        String text = file("just words");
        assertThatThrownBy(() -> options("--config", text))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageStartingWith(text + " must contain keys and values");
    }

    @Test
    void keyGivenNestedAndDottedIsRefused() throws Exception {
        String file = file("moe.lanes: 1", "moe:", "  lanes: 2");

        assertThatThrownBy(() -> options("--config", file))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(file + " has moe.lanes twice");
    }

    @Test
    void keyGivenTwiceInOneSpellingIsRefused() throws Exception {
        String file = file("moe.lanes: 1", "moe.lanes: 2");

        assertThatThrownBy(() -> options("--config", file))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageStartingWith(file)
                .hasMessageContaining("moe.lanes");
    }

    @Test
    void malformedKafkaPropertiesAreNotPrinted() {
        Program program =
                Program.run("score", "--kafka.properties", "sasl.password=geheim", "--verbose");

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err())
                .contains("moe.kafka.properties is malformed; allowed: key:value pairs")
                .doesNotContain("geheim");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "    sasl.password: \"geheim\" and more",
                "    sasl.password: \"geheim",
                "    sasl.password: geheim: more",
                "    sasl.password: [geheim",
                "    sasl.password: @geheim",
                "    sasl.password: !geheim!x y",
                "    sasl.password: *geheim\n   x"
            })
    void fileThatIsNotYamlIsNotQuoted(String line) throws Exception {
        String file = file("moe:", "  kafka.properties:", line, "  lanes: 3");

        Program program = Program.run("score", "--config", file, "--verbose");

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err())
                .contains(file + " is not valid YAML: see line ")
                .doesNotContain("geheim");
    }

    @ParameterizedTest
    @ValueSource(strings = {"--kafka.propertis=a:geheim", "--kafka.propertis"})
    void valuesOfUnknownOptionsAreNotPrinted(String option) {
        Program program = Program.run("score", option, "sasl.password:geheim");

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err())
                .contains("'--kafka.propertis'", "--kafka.properties")
                .doesNotContain("geheim");
    }

    @Test
    void helpAndOptionsShowNoValues() {
        String given = "sasl.jaas.config:'Module required password=geheim;'";

        Program help = Program.run("score", "--kafka.properties", given, "--help");

        assertThat(help.exitCode()).isZero();
        assertThat(help.out()).contains("--kafka.properties").doesNotContain("geheim");
    }

    @Test
    void clientPropertiesGoIntoNoConfigurationThatIsShown() throws Exception {
        Configuration options =
                options("--kafka.properties", "{ssl.key.password: geheim}", "-D", "rest.port=1");
        Configuration nested =
                options("--config", file("moe:", "  kafka.properties:", "    a.b: geheim"));

        assertThat(options.get(KafkaOptions.PROPERTIES)).containsValue("geheim");
        assertThat(nested.get(KafkaOptions.PROPERTIES)).containsEntry("a.b", "geheim");
        assertThat(ScoringJob.flinkOptions(options).toMap())
                .containsOnlyKeys("rest.port")
                .doesNotContainValue("geheim");
        assertThat(ScoringJob.flinkOptions(nested).toMap()).isEmpty();
    }

    @Test
    void clientPropertiesAreJoinedKeyByKeyHoweverTheyAreWritten() throws Exception {
        String keys = file("moe:", "  kafka.properties:", "    a.b: file", "    c.d: file");
        String text = file("moe.kafka.properties: 'a.b:file,c.d:file'");

        for (String file : List.of(keys, text)) {
            assertThat(
                            options(
                                            "--config=" + file,
                                            "-Dmoe.kafka.properties={c.d: defined, e: defined}",
                                            "--kafka.properties=e:given")
                                    .get(KafkaOptions.PROPERTIES))
                    .isEqualTo(Map.of("a.b", "file", "c.d", "defined", "e", "given"));
            assertThat(
                            options("--config=" + file, "-Dmoe.kafka.properties.c.d=defined")
                                    .get(KafkaOptions.PROPERTIES))
                    .isEqualTo(Map.of("a.b", "file", "c.d", "defined"));
        }
    }

    @Test
    void jobIsNamedByItsGroupUnlessTheUserNamesIt() throws Exception {
        Configuration options = options("--source.group-id=flights");
        Configuration named = options("--source.group-id=flights", "-Dpipeline.name=mine");

        assertThat(ScoringJob.nameOf(options, options)).isEqualTo("moe score flights");
        assertThat(ScoringJob.nameOf(named, named)).isEqualTo("mine");
    }

    @ParameterizedTest
    @ValueSource(strings = {"s3://models/flights", "/models/flights"})
    void bundleThatIsAbsoluteStays(String bundle) throws Exception {
        assertThat(ScoringJob.withAbsoluteBundle(options("--bundle", bundle)))
                .isEqualTo(options("--bundle", bundle));
    }

    @Test
    void relativeBundleIsMadeAbsoluteForTaskManagers() throws Exception {
        assertThat(
                        ScoringJob.withAbsoluteBundle(options("--bundle=models/flights"))
                                .get(MoeOptions.BUNDLE))
                .isEqualTo(Path.of("models/flights").toAbsolutePath().toString());
    }

    @ParameterizedTest
    @CsvSource({"parallelism.default, four", "execution.checkpointing.interval, often"})
    void valueThatFlinkCannotReadIsWrongUse(String key, String value) {
        Program program = Program.run("score", "-D", key + "=" + value);

        assertThat(program.exitCode()).as(program.err()).isEqualTo(2);
        assertThat(program.err()).startsWith("moe: ").contains(key, value, "moe score --help");
    }

    @Test
    void emptyFileSetsNothing() throws Exception {
        assertThat(options("--config", file("# nothing yet")).keySet()).isEmpty();
    }

    private String file(String... lines) throws Exception {
        return Files.writeString(
                        Files.createTempFile(folder, "job", ".yaml"), String.join("\n", lines))
                .toString();
    }

    private static Configuration options(String... arguments) throws Exception {
        CommandLine program = Moe.commandLine();
        program.parseArgs(
                Stream.concat(Stream.of("score"), Stream.of(arguments)).toArray(String[]::new));
        CommandLine score = program.getSubcommands().get("score");
        return ((ScoreCommand) score.getCommandSpec().userObject()).options();
    }
}
