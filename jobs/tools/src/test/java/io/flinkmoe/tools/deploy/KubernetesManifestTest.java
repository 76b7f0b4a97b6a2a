// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the API server, the operator, Flink and the program would say to the manifests. */
class KubernetesManifestTest {

    private static CustomResource definition;
    private static FlinkOptions flinkOptions;

    @BeforeAll
    static void read() throws IOException {
        definition = CustomResource.read("/kubernetes/flinkdeployments.flink.apache.org-v1.yml");
        flinkOptions = new FlinkOptions();
    }

    private static List<String> errors(Manifest manifest) {
        List<String> errors = new ArrayList<>(definition.errors(manifest.node()));
        errors.addAll(OperatorRules.errors(manifest));
        errors.addAll(flinkOptions.errors(manifest.flinkConfiguration()));
        return errors;
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu.yaml", "gpu.yaml"})
    void isWhatTheClusterTakes(String file) throws IOException {
        assertThat(errors(Manifest.read(file))).isEmpty();
    }

    @ParameterizedTest(name = "{0}: {1}")
    @CsvSource(
            delimiter = '|',
            nullValues = "REMOVED",
            value = {
                "/apiVersion | flink.apache.org/v1 | /apiVersion: must be the constant",
                "/metadata/label | {a: b} | /metadata: property 'label' is not defined",
                "/metadata/name | Moe_CPU | name: must match",
                "/spec/imagePolicy | Always | /spec: property 'imagePolicy' is not defined",
                "/spec/flinkVersion | v2_3 | /spec/flinkVersion: does not have a value",
                "/spec/flinkVersion | REMOVED | flinkVersion: must be defined",
                "/spec/mode | application | /spec/mode: does not have a value",
                "/spec/serviceAccount | REMOVED | serviceAccount: must be defined",
                "/spec/job/upgradeMode | save-point | /spec/job/upgradeMode: does not have a value",
                "/spec/job/parallelism | '\"4\"' | /spec/job/parallelism: string found",
                "/spec/job/parallelism | 0 | job.parallelism: must be larger than 0",
                "/spec/job/jarURI | REMOVED | job.jarURI: must be defined",
                "/spec/job/arguments | [a] | /spec/job: property 'arguments' is not defined",
                "/spec/job/state | suspended | job.state: must start in running",
                "/spec/taskManager/resources | {} | property 'resources' is not defined",
                "/spec/taskManager/resource/memory | REMOVED | taskManager.resource.memory:",
                "/spec/taskManager/resource/memory | 1g | taskManager.resource.memory: TaskManager memory conf",
                "/spec/jobManager/resource/memory | 2 gallons | jobManager.resource.memory:",
                "/spec/podTemplate/spec/container | [] | property 'container' is not defined",
                "/spec/podTemplate/spec/containers | [{nam: a}] | property 'nam' is not defined",
                "/spec/flinkConfiguration/kubernetes.cluster-id | a | forbidden key kubernetes.cl",
                "/spec/flinkConfiguration/execution.checkpointing.dir | REMOVED | checkpoint dir",
                "/spec/flinkConfiguration/execution.checkpointing.savepoint-dir | REMOVED"
                        + " | savepoint dir",
                "/spec/flinkConfiguration/execution.checkpointing.directory | s3://a"
                        + " | no option: execution.checkpointing.directory",
                "/spec/flinkConfiguration/execution.checkpointing.interval | 10 sek"
                        + " | execution.checkpointing.interval: Could not parse value",
                "/spec/flinkConfiguration/metrics.reporter.prometheus.class | a | no option",
                "/spec/flinkConfiguration/moe.lane | 4 | no option: moe.lane"
            })
    void anErrorShows(String pointer, String value, String error) throws IOException {
        Manifest wrong = Manifest.read("gpu.yaml").with(pointer, value);

        assertThat(errors(wrong)).anyMatch(message -> message.contains(error));
    }

    @Test
    void lastStateStandbyAndRollbackNeedHighAvailability() throws IOException {
        Manifest manifest =
                Manifest.read("cpu.yaml")
                        .with("/spec/flinkConfiguration/high-availability.type", null)
                        .with("/spec/job/upgradeMode", "last-state")
                        .with("/spec/jobManager/replicas", "2")
                        .with(
                                "/spec/flinkConfiguration/kubernetes.operator.deployment.rollback.enabled",
                                "true");

        assertThat(errors(manifest))
                .containsExactly(
                        "high availability: needed for last-state",
                        "high availability: needed for standby job managers",
                        "high availability: needed for rollback");
    }

    /** The operator writes the configuration anew: what the image's says is lost. */
    @ParameterizedTest
    @CsvSource({"cpu.yaml,false", "gpu.yaml,true"})
    void saysWhatTheImagesConfigurationSays(String file, boolean gpu) throws IOException {
        Map<String, String> expected = new TreeMap<>(image("config.yaml"));
        if (gpu) {
            expected.putAll(image("gpu.yaml"));
        }
        // Set by the operator, by Kubernetes, or chosen by size.
        expected.keySet().removeIf(key -> key.matches("(env.java.opts.all|jobmanager|rest).*"));
        expected.keySet().removeIf(key -> key.matches("taskmanager[.](bind-host|number).*"));
        expected.keySet().removeIf(key -> key.matches(".*[.]memory[.](process|task|managed).*"));

        assertThat(expected).hasSizeGreaterThan(2);
        assertThat(Manifest.read(file).flinkConfiguration()).containsAllEntriesOf(expected);
    }

    private static Map<String, String> image(String file) throws IOException {
        Path path = Path.of("..", "..", "deploy", "container", "conf", file);
        Map<String, String> flat = new TreeMap<>();
        flatten("", new YAMLMapper().readTree(path.toFile()), flat);
        assertThat(flinkOptions.errors(flat)).isEmpty();
        return flat;
    }

    private static void flatten(String prefix, JsonNode node, Map<String, String> flat) {
        if (node.isObject()) {
            node.properties()
                    .forEach(
                            entry ->
                                    flatten(
                                            prefix.isEmpty()
                                                    ? entry.getKey()
                                                    : prefix + "." + entry.getKey(),
                                            entry.getValue(),
                                            flat));
        } else {
            flat.put(prefix, node.asText());
        }
    }
}
