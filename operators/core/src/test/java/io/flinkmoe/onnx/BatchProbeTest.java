// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.OnnxGraph;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.Logger;
import org.apache.logging.log4j.core.appender.AbstractAppender;
import org.apache.logging.log4j.core.config.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is logged about a model when it is opened. */
class BatchProbeTest {

    private static final int D = 3;

    @TempDir private Path directory;

    @Test
    void reportsAModelThatLooksAtTheWholeBatch() throws Exception {
        byte[] centred =
                graph().node("ReduceMean", "mean", List.of("x"), Map.of("axes", new int[] {0}))
                        .node("Sub", "y", List.of("x", "mean"))
                        .toBytes();

        assertThat(warnings(centred))
                .singleElement()
                .asString()
                .startsWith(directory.resolve("model.onnx") + ": outputs of a row alone and")
                .containsPattern(
                        "in a batch of 64 differ by up to [0-9]+\\.[0-9]+; results depend");
    }

    @Test
    void reportsANumberThatIsNoneInAnotherBatch() throws Exception {
        byte[] deviation =
                graph().weights("zero", new float[1])
                        .weights("one", new float[] {1})
                        .node("Mul", "zeros", List.of("x", "zero"))
                        .node("Add", "ones", List.of("zeros", "one"))
                        .integers("rows", new long[1], 1)
                        .node("ReduceSum", "count", List.of("ones", "rows"))
                        .node("Sub", "others", List.of("count", "one"))
                        .node("Div", "y", List.of("zeros", "others"))
                        .toBytes();

        assertThat(warnings(deviation)).singleElement().asString().contains("differ by up to NaN");
    }

    @Test
    void isSilentAboutNaNAtEveryBatchSize() throws Exception {
        byte[] undefined =
                graph().node("Sub", "zeros", List.of("x", "x"))
                        .node("Div", "y", List.of("zeros", "zeros"))
                        .toBytes();

        assertThat(warnings(undefined)).isEmpty();
    }

    @Test
    void isSilentAboutAnExpertOfRowsAlone() throws Exception {
        float[] weights = {1, -2, 3, -4, 5, -6, 7, -8, 9};

        assertThat(warnings(ExpertGraphs.gated(Activation.SILU, weights, weights, weights, D, D)))
                .isEmpty();
    }

    private static OnnxGraph graph() {
        return new OnnxGraph("probed").input("x", D).output("y", D);
    }

    private List<String> warnings(byte[] model) throws Exception {
        Path file = Files.write(directory.resolve("model.onnx"), model);
        Logger log = (Logger) LogManager.getLogger(BatchProbe.class);
        Level before = log.getLevel();
        Warnings warnings = new Warnings();
        warnings.start();
        log.addAppender(warnings);
        log.setLevel(Level.WARN);
        try {
            new SessionCache(Duration.ZERO).acquire(file, "sum", D, D).close();
        } finally {
            log.removeAppender(warnings);
            log.setLevel(before);
        }
        return warnings.messages;
    }

    private static final class Warnings extends AbstractAppender {
        final List<String> messages = new ArrayList<>();

        Warnings() {
            super("warnings", null, null, false, Property.EMPTY_ARRAY);
        }

        @Override
        public void append(LogEvent event) {
            messages.add(event.getMessage().getFormattedMessage());
        }
    }
}
