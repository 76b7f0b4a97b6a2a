// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.api.Token;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.huggingface.CheckpointImporter;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.GZIPInputStream;

/** The flights for tests: the bundle, the events as tokens, and what the model must answer. */
public final class Flights {

    private static final Path DIRECTORY = Path.of("..", "..", "deploy", "demo", "flights");

    /** The one event whose second expert may go either way: two logits are 2.4e-7 apart. */
    public static final int UNDECIDED = 23_251;

    public static final int WIDTH = 10;
    public static final int NUM_EXPERTS = 8;
    public static final int TOP_K = 2;

    private final float[] features;
    private final int[] experts;
    private final float[] weights;
    private final float[] logits;
    private final float[] probabilities;

    private Flights() {
        try (SafetensorsFile expected =
                SafetensorsFile.open(DIRECTORY.resolve("flights.expected.safetensors"))) {
            features = expected.floats("features");
            experts = expected.ints("experts");
            weights = expected.floats("weights");
            logits = expected.floats("logits");
            probabilities = expected.floats("probability");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Reads what the model must answer. */
    public static Flights load() {
        return new Flights();
    }

    /** Imports the checkpoint, its encoder and its head into a bundle. */
    public static Bundle importBundle(Path directory) {
        try {
            return CheckpointImporter.importBundle(
                    DIRECTORY.resolve("checkpoint"),
                    DIRECTORY.resolve("encoder.onnx"),
                    DIRECTORY.resolve("head.onnx"),
                    directory);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public int count() {
        return probabilities.length;
    }

    /** [T, 10]. */
    public float[] features() {
        return features;
    }

    /** [T, 2]. */
    public int[] experts() {
        return experts;
    }

    /** [T, 2]. */
    public float[] weights() {
        return weights;
    }

    /** [T, 8]. */
    public float[] logits() {
        return logits;
    }

    /** [T]. */
    public float[] probabilities() {
        return probabilities;
    }

    /** The events as tokens, in event-time order: stream = origin, position = line. */
    public List<Token> tokens() {
        List<Token> tokens = new ArrayList<>(count());
        try (BufferedReader lines =
                new BufferedReader(
                        new InputStreamReader(
                                new GZIPInputStream(
                                        Files.newInputStream(DIRECTORY.resolve("flights.csv.gz"))),
                                StandardCharsets.UTF_8))) {
            lines.readLine();
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] fields = line.split(",");
                int row = tokens.size();
                tokens.add(
                        new Token(
                                fields[1],
                                row,
                                LocalDateTime.parse(fields[0])
                                        .toInstant(ZoneOffset.UTC)
                                        .toEpochMilli(),
                                Arrays.copyOfRange(features, row * WIDTH, (row + 1) * WIDTH)));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return tokens;
    }
}
