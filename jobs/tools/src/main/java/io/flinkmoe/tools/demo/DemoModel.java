// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.api.Token;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.tools.flights.ExpectedAnswers;
import io.flinkmoe.tools.flights.FlightTask;
import io.flinkmoe.tools.flights.Flights;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** A trained model that the demo scores the flights with. */
@Internal
interface DemoModel {

    /** The name, to complete "Importing". */
    String name();

    /** What the model answers for each flight, in the order of its outputs. */
    List<FlightTask> tasks();

    /** Makes a bundle of the model. */
    Bundle importBundle(Path target) throws IOException;

    /** The flights with the inputs of the model. */
    List<Token> tokens(Flights flights, Bundle bundle);

    /** The expected answers, if no choice overflows. */
    ExpectedAnswers expected() throws IOException;
}
