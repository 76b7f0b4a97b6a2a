// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.proto;

import io.flinkmoe.model.proto.ProtoReader.MalformedException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/**
 * The inputs and outputs of an ONNX file. The numbers in the code are the field numbers of {@code
 * onnx.proto}.
 *
 * @param inputs what a run must be given, in the order of the file; weights are not among them
 * @param outputs what a run can be asked for, in the order of the file
 */
@Internal
public record GraphSignature(List<GraphTensor> inputs, List<GraphTensor> outputs) {

    /** Reads a model, without its weights. */
    public static GraphSignature read(ProtoReader model) throws MalformedException {
        ProtoReader graph = null;
        for (int field; (field = model.nextField()) != 0; ) {
            if (field == 7 && graph == null) {
                graph = model.message();
            } else if (field == 7) { // Protobuf would merge them.
                throw new MalformedException("the model has two graphs");
            } else {
                model.skip();
            }
        }
        if (graph == null) {
            throw new MalformedException("the model has no graph");
        }
        return readGraph(graph);
    }

    private static GraphSignature readGraph(ProtoReader graph) throws MalformedException {
        Set<String> weights = new HashSet<>();
        List<GraphTensor> inputs = new ArrayList<>();
        List<GraphTensor> outputs = new ArrayList<>();
        for (int field; (field = graph.nextField()) != 0; ) {
            switch (field) {
                case 5 -> weights.add(weightsName(graph.message()));
                case 11 -> inputs.add(GraphTensor.read(graph.message()));
                case 12 -> outputs.add(GraphTensor.read(graph.message()));
                default -> graph.skip();
            }
        }
        // Files before IR version 4 list their weights among the inputs.
        inputs.removeIf(input -> weights.contains(input.name()));
        return new GraphSignature(List.copyOf(inputs), List.copyOf(outputs));
    }

    private static String weightsName(ProtoReader tensor) throws MalformedException {
        String name = "";
        for (int field; (field = tensor.nextField()) != 0; ) {
            if (field == 8) {
                name = tensor.string();
            } else {
                tensor.skip();
            }
        }
        return name;
    }
}
