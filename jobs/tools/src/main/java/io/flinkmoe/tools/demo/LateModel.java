// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.api.Token;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.huggingface.CheckpointImporter;
import io.flinkmoe.tools.flights.ExpectedAnswers;
import io.flinkmoe.tools.flights.ExpectedFlights;
import io.flinkmoe.tools.flights.FlightTask;
import io.flinkmoe.tools.flights.Flights;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** A checkpoint of eight experts (top-2), which predicts from a vector whether a flight is late. */
@Internal
final class LateModel implements DemoModel {

    private final Path folder;

    /**
     * @param folder the folder of the checkpoint and the expected answers
     */
    LateModel(Path folder) {
        this.folder = folder;
    }

    @Override
    public String name() {
        return "the flights model";
    }

    @Override
    public List<FlightTask> tasks() {
        return List.of(Flights.LATE);
    }

    @Override
    public Bundle importBundle(Path target) throws IOException {
        return CheckpointImporter.importBundle(
                folder.resolve("checkpoint"),
                folder.resolve("encoder.onnx"),
                folder.resolve("head.onnx"),
                target);
    }

    @Override
    public List<Token> tokens(Flights flights, Bundle bundle) {
        return flights.tokens();
    }

    @Override
    public ExpectedAnswers expected() throws IOException {
        return ExpectedFlights.read(folder);
    }
}
