// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flights;

import io.flinkmoe.model.huggingface.CheckpointImporter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Random;

/** The bundle of the demo's flights, and feature vectors that it can score. */
public final class FlightsBundle {

    /** Input width: ten features, the last two being ids of airports. */
    static final int WIDTH = 10;

    private static final int AIRPORTS = 229;
    private static final Path FLIGHTS = Path.of("..", "..", "deploy", "demo", "flights");

    private FlightsBundle() {}

    /** Imports the bundle into a new directory below the given one. */
    public static Path create(Path dir) throws IOException {
        Path bundle = dir.resolve("flights-bundle");
        CheckpointImporter.importBundle(
                FLIGHTS.resolve("checkpoint"),
                FLIGHTS.resolve("encoder.onnx"),
                FLIGHTS.resolve("head.onnx"),
                bundle);
        return bundle;
    }

    /** Features of some flight, [10]. */
    public static float[] features(Random random) {
        float[] values = new float[WIDTH];
        for (int i = 0; i < WIDTH - 2; i++) {
            values[i] = random.nextFloat() * 2 - 1;
        }
        values[WIDTH - 2] = random.nextInt(AIRPORTS);
        values[WIDTH - 1] = random.nextInt(AIRPORTS);
        return values;
    }
}
