// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.api.Token;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.parts.PartsImporter;
import io.flinkmoe.onnx.check.ModelCheck;
import io.flinkmoe.tools.flights.ExpectedAnswers;
import io.flinkmoe.tools.flights.ExpectedDelays;
import io.flinkmoe.tools.flights.FlightTask;
import io.flinkmoe.tools.flights.Flights;
import io.flinkmoe.tools.text.ManifestFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * ONNX parts of six experts and three gates, which predict from typed columns how late or early a
 * flight is. There is one gate per task.
 */
@Internal
final class DelayModel implements DemoModel {

    private final Path folder;
    private final boolean isDense;

    /**
     * @param folder the folder of the parts, their manifests and the expected answers
     * @param isDense whether each gate weighs all experts; otherwise it chooses two
     */
    DelayModel(Path folder, boolean isDense) {
        this.folder = folder;
        this.isDense = isDense;
    }

    @Override
    public String name() {
        return isDense ? "the delay model with dense gates" : "the delay model";
    }

    @Override
    public List<FlightTask> tasks() {
        return List.of(
                FlightTask.late("late15", 15),
                FlightTask.late("late60", 60),
                FlightTask.early("early", 5));
    }

    @Override
    public Bundle importBundle(Path target) throws IOException {
        Path manifest = folder.resolve(isDense ? "manifest-dense.yaml" : "manifest.yaml");
        return PartsImporter.importBundle(
                        ManifestFile.read(manifest),
                        target,
                        bundle -> ModelCheck.openAll(bundle, false))
                .bundle();
    }

    @Override
    public List<Token> tokens(Flights flights, Bundle bundle) {
        return flights.typedTokens(bundle.spec().inputLayout());
    }

    @Override
    public ExpectedAnswers expected() throws IOException {
        return ExpectedDelays.read(folder, isDense);
    }
}
