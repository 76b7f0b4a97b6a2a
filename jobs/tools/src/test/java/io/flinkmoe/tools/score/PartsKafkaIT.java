// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.capacity.Dropless;
import io.flinkmoe.capacity.TokenMetadata;
import io.flinkmoe.column.Column;
import io.flinkmoe.column.InputRows;
import io.flinkmoe.column.TypedValues;
import io.flinkmoe.config.Draws;
import io.flinkmoe.config.PlacementOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.onnx.check.ModelCheck;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.schemas.ScoredToken;
import io.flinkmoe.schemas.TokenEncoder;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.ScoringJob;
import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.Program;
import io.flinkmoe.tools.kafka.KafkaBroker;
import io.flinkmoe.tools.kafka.TestTopics;
import io.flinkmoe.tools.parts.PartsAnswers;
import io.flinkmoe.tools.parts.PartsCase;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Parts of PyTorch, scikit-learn and LightGBM are imported with one command, and the ready job
 * scores records from Kafka to Kafka: the answers are those of the framework itself, and bit for
 * bit those of the reference. {@code -Dexports.dir=DIR} runs other folders of the same kinds, each
 * at the parallelism 1, 2 and 4.
 */
@Tag("slow")
class PartsKafkaIT {

    private static final Path RESOURCES = Home.ROOT.resolve("operators/core/src/test/resources");
    private static final String OTHER = System.getProperty("exports.dir");
    private static final int STREAMS = 16;

    @RegisterExtension static final MiniClusterExtension CLUSTER = TestJob.cluster();

    @TempDir static Path dir;

    private static KafkaBroker broker;
    private static int jobs;
    private static double worst;

    static List<PartsCase> cases() throws IOException {
        return OTHER != null
                ? PartsCase.in(Path.of(OTHER))
                : Stream.of("exports", "parts")
                        .flatMap(folder -> casesIn(RESOURCES.resolve(folder)).stream())
                        .toList();
    }

    private static List<PartsCase> casesIn(Path folder) {
        try {
            return PartsCase.in(folder);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @BeforeAll
    static void start() throws IOException {
        broker = KafkaBroker.start(dir.resolve("kafka"));
    }

    @AfterAll
    static void stop() {
        if (broker != null) {
            broker.close();
        }
        System.out.printf("parts from Kafka to Kafka: %d jobs, worst %.2g%n", jobs, worst);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void theReadyJobAnswersAsTheFramework(PartsCase parts) throws Exception {
        Path path = dir.resolve(parts.name());
        Path copy = parts.copyTo(dir.resolve(parts.name() + ".parts"));
        List<Object> command = new ArrayList<>();
        command.addAll(List.of("import", "--parts", copy, "--output", path));
        command.addAll(parts.options());
        Program program = Program.run(command.toArray());
        assertThat(program.exitCode()).as(program.err()).isZero();
        Bundle bundle = Bundle.read(path);
        List<TypedValues> rows = parts.inputs(bundle.spec().inputLayout());
        List<Map<String, List<Object>>> right = reference(bundle, rows);

        for (int parallelism : OTHER == null ? new int[] {2} : new int[] {1, 2, 4}) {
            List<Map<String, List<Object>>> found = score(bundle, rows, parallelism);

            double difference = parts.difference(found);
            worst = Math.max(worst, difference);
            assertThat(difference)
                    .as("difference from the framework at parallelism %d", parallelism)
                    .isLessThanOrEqualTo(parts.tolerance());
            assertThat(found).isEqualTo(right);
        }
        assertThat(right.stream().filter(Objects::isNull)).hasSize(parts.dead());
    }

    private static List<Map<String, List<Object>>> reference(Bundle bundle, List<TypedValues> rows)
            throws Exception {
        try (ReferenceModel model =
                ReferenceModel.open(
                        bundle, new Dropless(), ModelCheck.openUnrecorded(bundle, false))) {
            ReferenceModel.Result result =
                    model.forward(
                            InputRows.of(bundle.spec().inputLayout(), rows),
                            TokenMetadata.ofRows(rows.size()),
                            Draws.NONE);
            List<Map<String, List<Object>>> found = noAnswers(rows.size());
            for (int row = 0; row < found.size(); row++) {
                if (result.rejected()[row] == null) {
                    Map<String, List<Object>> answer = new LinkedHashMap<>();
                    for (Column column : bundle.spec().outputLayout().columns()) {
                        Object value = result.outputs().row(row).get(column.name());
                        answer.put(column.name(), PartsAnswers.flat(value));
                    }
                    found.set(row, answer);
                }
            }
            return found;
        }
    }

    /** A list of nulls. */
    private static List<Map<String, List<Object>>> noAnswers(int rows) {
        return new ArrayList<>(Collections.nCopies(rows, null));
    }

    /** Runs the job over the rows, each of which must come back once. */
    private static List<Map<String, List<Object>>> score(
            Bundle bundle, List<TypedValues> rows, int parallelism) throws Exception {
        String name = "job-" + jobs++;
        Configuration options = TestJob.options(broker, bundle.directory(), name, 3);
        options.set(PlacementOptions.ROW_BY_ROW, true); // so that all models keep the bits
        send(name + "-in", bundle, rows);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setParallelism(parallelism);
        ScoringJob.build(env, options);
        env.execute();

        List<Map<String, List<Object>>> found = noAnswers(rows.size());
        for (ConsumerRecord<byte[], byte[]> record : read(name + "-out")) {
            ScoredToken token = ScoredToken.fromByteBuffer(ByteBuffer.wrap(record.value()));
            int row = (int) token.getPosition();
            Map<String, List<Object>> answer = new LinkedHashMap<>();
            for (Column column : bundle.spec().outputLayout().columns()) {
                Object value =
                        token.getOutputs() == null
                                ? token.getValues()
                                : token.getOutputs().get(column.name());
                answer.put(column.name(), PartsAnswers.flat(value));
            }
            assertThat(found.set(row, answer)).as("another answer for row %d", row).isNull();
        }
        assertThat(read(options.get(KafkaOptions.DEAD_LETTER_TOPIC)))
                .hasSize((int) found.stream().filter(Objects::isNull).count());
        return found;
    }

    private static void send(String topic, Bundle bundle, List<TypedValues> rows) {
        TokenEncoder encoder = TokenEncoder.singleObject();
        boolean isVector = bundle.spec().inputLayout().isVector();
        long now = System.currentTimeMillis();
        try (KafkaProducer<byte[], byte[]> producer =
                TestTopics.producer(broker.bootstrapServers())) {
            for (int row = 0; row < rows.size(); row++) {
                String stream = "row-" + row % STREAMS;
                TypedValues values = rows.get(row);
                byte[] record =
                        isVector
                                ? encoder.encode(stream, row, now, values.floats())
                                : encoder.encode(stream, row, now, values.toMap());
                producer.send(new ProducerRecord<>(topic, stream.getBytes(UTF_8), record));
            }
        }
    }

    private static List<ConsumerRecord<byte[], byte[]>> read(String topic) {
        return TestTopics.readCommitted(broker.bootstrapServers(), topic);
    }
}
