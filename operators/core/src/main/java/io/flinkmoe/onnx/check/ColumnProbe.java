// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.check;

import ai.onnxruntime.OrtException;
import io.flinkmoe.column.Column;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.OutputRows;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.OpenedModels.Bits;
import io.flinkmoe.onnx.ColumnModel;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.layer.ColumnEncoder;
import io.flinkmoe.onnx.layer.ColumnHead;
import io.flinkmoe.onnx.layer.RouterBatch;
import io.flinkmoe.tensor.Floats;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.apache.flink.annotation.Internal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs an encoder or a head with typed columns on probe rows before a job runs it, as {@link
 * ModelProbe} does with the other models: it finds outputs of another shape than expected, and rows
 * whose bits depend on their batch.
 */
@Internal
final class ColumnProbe {

    private static final Logger LOG = LoggerFactory.getLogger(ColumnProbe.class);

    private static final int ROWS = 67;

    /** The first row and the size of the batches that are compared with the batch of all rows. */
    private static final int[][] BATCHES = {
        {0, 1}, {31, 1}, {66, 1}, {0, 2}, {20, 3}, {1, 16}, {3, 64}
    };

    /** A difference of this share of the largest value is more than rounding. */
    private static final double ROUNDING = 1e-3;

    private static final List<String> TEXTS = List.of("", "a", "b");

    /** Runs some of the probe rows. */
    private interface Run {
        /** Returns the outputs of the rows, packed. */
        byte[] of(int from, int rows) throws OrtException;
    }

    private ColumnProbe() {}

    /** Runs the encoder of a model, with values first and then with zeros. */
    static Bits encoder(Path file, BundleSpec spec) throws BundleException {
        try (ColumnModel model = ColumnModel.open(file, ColumnModel.inputsOf(spec), List.of())) {
            return encoder(model, spec);
        }
    }

    private static Bits encoder(ColumnModel model, BundleSpec spec) throws BundleException {
        InputLayout inputs = spec.inputLayout();
        DirectRows vectors = new DirectRows(ROWS, spec.firstSize());
        ColumnEncoder encoder =
                new ColumnEncoder(model, spec.encoder().output(), inputs, vectors, ROWS);
        Bits bits = measure(model, encoding(encoder, numbers(inputs), inputs));
        if (bits == Bits.UNCHECKED) {
            byte[] zeros = new byte[ROWS * inputs.words() * Integer.BYTES];
            bits = measure(model, encoding(encoder, zeros, inputs));
        }
        return bits;
    }

    private static Run encoding(ColumnEncoder encoder, byte[] numbers, InputLayout inputs) {
        int bytes = inputs.words() * Integer.BYTES;
        int texts = inputs.strings();
        return (from, rows) -> {
            String[] strings = new String[rows * texts];
            for (int i = 0; i < strings.length; i++) {
                strings[i] = TEXTS.get((from * texts + i) % TEXTS.size());
            }
            RouterBatch batch =
                    new RouterBatch(
                            Arrays.copyOfRange(numbers, from * bytes, (from + rows) * bytes),
                            strings,
                            new String[rows],
                            RouterBatch.NONE_ABSENT,
                            null);
            encoder.read(batch);
            return encoder.bytes(batch);
        };
    }

    /** Gaussian floats; integers and bools 0 and 1, which are categories of most models. */
    private static byte[] numbers(InputLayout inputs) {
        Random random = new Random(0);
        byte[] numbers = new byte[ROWS * inputs.words() * Integer.BYTES];
        for (int row = 0; row < ROWS; row++) {
            for (int i = 0; i < inputs.inputs().size(); i++) {
                Column column = inputs.inputs().get(i).column();
                if (column.type() == ColumnType.STRING) {
                    continue;
                }
                int at = row * inputs.words() * Integer.BYTES + inputs.columns().offset(i);
                for (int element = 0; element < column.count(); element++) {
                    inputs.columns().putNumber(numbers, at, i, element, random.nextGaussian());
                }
            }
        }
        return numbers;
    }

    /** Runs the head of a model. */
    static Bits head(Path file, BundleSpec spec) throws BundleException {
        try (ColumnModel model = ColumnModel.open(file, List.of(), ColumnModel.outputsOf(spec))) {
            return head(model, spec);
        }
    }

    private static Bits head(ColumnModel model, BundleSpec spec) throws BundleException {
        DirectRows vectors = new DirectRows(ROWS, spec.lastSize());
        ColumnHead head =
                new ColumnHead(
                        model,
                        spec.head().input(),
                        ColumnModel.outputsOf(spec),
                        spec.lastSize(),
                        ROWS);
        Random random = new Random(0);
        float[] x = new float[ROWS * spec.lastSize()];
        for (int i = 0; i < x.length; i++) {
            x[i] = (float) random.nextGaussian();
        }
        try {
            return measure(
                    model,
                    (from, rows) -> {
                        vectors.put(x, from, rows);
                        OutputRows outputs = head.run(vectors, rows);
                        return outputs.numbers();
                    });
        } catch (IllegalStateException e) {
            throw new BundleException(model.file(), e.getMessage(), e);
        }
    }

    private static Bits measure(ColumnModel model, Run run) throws BundleException {
        byte[] together;
        double difference = 0;
        boolean differs = false;
        try {
            together = run.of(0, ROWS);
            int rowBytes = together.length / ROWS;
            for (int[] batch : BATCHES) {
                byte[] found = run.of(batch[0], batch[1]);
                int from = batch[0] * rowBytes;
                byte[] expected = Arrays.copyOfRange(together, from, from + found.length);
                if (!Arrays.equals(found, expected)) {
                    differs = true;
                    difference = Math.max(difference, difference(found, expected));
                }
            }
        } catch (OrtException e) {
            LOG.info("{} refuses the probe rows, so its bits were not checked", model.file(), e);
            return Bits.UNCHECKED;
        }
        float largest = 0;
        for (float value : Floats.toFloats(together)) {
            largest = Float.isFinite(value) ? Math.max(largest, Math.abs(value)) : largest;
        }
        if (differs && difference > ROUNDING * largest) {
            throw new BundleException(
                    model.file(),
                    "its output depends on the other rows of a call: a row differs by %.3g, and the largest value is %.3g; export the model so that each row is computed for itself"
                            .formatted(difference, largest));
        }
        return differs ? Bits.ROUNDING : Bits.EXACT;
    }

    private static double difference(byte[] left, byte[] right) {
        float[] one = Floats.toFloats(left);
        float[] other = Floats.toFloats(right);
        double largest = 0;
        for (int i = 0; i < one.length; i++) {
            double difference = Math.abs((double) one[i] - other[i]);
            largest = difference > largest ? difference : largest;
        }
        return largest;
    }
}
