// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.ExpertSpec;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.onnx.ColumnModel.Binding;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/**
 * The models of a bundle that one operator runs. Each is leased from the {@link SessionCache} of
 * the process when it is requested; {@link #close} returns all of them.
 */
@Internal
public final class BundleSessions implements AutoCloseable {

    private final Bundle bundle;
    private final BundleSpec spec;
    private final Device expertDevice;
    private final Set<String> rowByRow;
    private final Runnable onFailure;
    private final List<SessionCache.Lease<?>> leases = new ArrayList<>();

    /** All models run on the CPU. */
    public BundleSessions(Bundle bundle) {
        this(bundle, Device.CPU);
    }

    /**
     * @param expertDevice the device of the experts; all other models run on the CPU
     */
    public BundleSessions(Bundle bundle, Device expertDevice) {
        this(bundle, expertDevice, Set.of(), () -> {});
    }

    /**
     * @param rowByRow the files of models that are called with one row at a time
     * @param onFailure runs when a model cannot be opened
     */
    public BundleSessions(
            Bundle bundle, Device expertDevice, Set<String> rowByRow, Runnable onFailure) {
        this.bundle = bundle;
        this.expertDevice = expertDevice;
        this.rowByRow = rowByRow;
        this.onFailure = onFailure;
        this.spec = bundle.spec();
    }

    public BundleSpec spec() {
        return spec;
    }

    /** The encoder, [batch, input] → [batch, input of the first layer]; there must be one. */
    public OnnxModel encoder() throws BundleException {
        return lease(spec.vectorEncoder(), spec.inputSize(), spec.firstSize());
    }

    /** The head, [batch, output of the last layer] → [batch, output]; there must be one. */
    public OnnxModel head() throws BundleException {
        return lease(spec.vectorHead(), spec.lastSize(), spec.outputSize());
    }

    /** The encoder, from the typed columns that it reads to vectors; there must be one. */
    public ColumnModel columnEncoder() throws BundleException {
        return leaseColumns(spec.encoder(), ColumnModel.inputsOf(spec), List.of());
    }

    /** The head, from vectors to named outputs; there must be one. */
    public ColumnModel columnHead() throws BundleException {
        return leaseColumns(spec.head(), List.of(), ColumnModel.outputsOf(spec));
    }

    /** The most rows of a call of an encoder or a head with typed columns. */
    public int rowsPerCall(ModelFile model) {
        return rowByRow.contains(model.file()) ? 1 : Integer.MAX_VALUE;
    }

    /** The router of a gate, [batch, its input] → logits [batch, n]; it must not have a rule. */
    public OnnxModel router(int layer, int gate) throws BundleException {
        GateSpec gateSpec = layer(layer).gates().get(gate);
        return lease(
                gateSpec.router(),
                gateSpec.readsToken() ? spec.inputSize() : layer(layer).gateInput(gate),
                gateSpec.routing().numExperts());
    }

    /**
     * The standard deviations of a gate's noise, [batch, its input] → [batch, n]; the gate must
     * have them.
     */
    public OnnxModel routerNoise(int layer, int gate) throws BundleException {
        GateSpec gateSpec = layer(layer).gates().get(gate);
        return lease(
                gateSpec.routerNoise(),
                layer(layer).gateInput(gate),
                gateSpec.routing().numExperts());
    }

    /** The expert scale of a layer, [batch, input] → [batch, 1]; the layer must have one. */
    public OnnxModel expertScale(int layer) throws BundleException {
        return lease(layer(layer).expertScale(), layer(layer).inputSize(), 1);
    }

    /** A layer's norm, [batch, input] → [batch, input]; the layer must have one. */
    public OnnxModel norm(int layer) throws BundleException {
        return lease(layer(layer).norm(), layer(layer).inputSize(), layer(layer).inputSize());
    }

    /** A layer's post_norm, [batch, output] → [batch, output]; the layer must have one. */
    public OnnxModel postNorm(int layer) throws BundleException {
        return lease(layer(layer).postNorm(), layer(layer).outputSize(), layer(layer).outputSize());
    }

    /**
     * The model of what a layer's experts read, [batch, input] → [batch, expert input]; the layer
     * must have one.
     */
    public OnnxModel expertInput(int layer) throws BundleException {
        LayerSpec spec = layer(layer);
        return lease(spec.options().expertInput(), spec.inputSize(), spec.expertRowSize());
    }

    /**
     * What is applied to a layer's routed sum, [batch, its width] → [batch, output]; the layer must
     * have one.
     */
    public OnnxModel routedOutput(int layer) throws BundleException {
        LayerSpec spec = layer(layer);
        return lease(spec.options().routedOutput(), spec.routedSize(), spec.outputSize());
    }

    /** One expert of a layer, [batch, its input] → [batch, its output]. */
    public ExpertModel expert(int layer, int expert) throws BundleException {
        ExpertSpec expertSpec = layer(layer).experts().get(expert);
        if (expertSpec.isIdentity()) {
            return ExpertModel.identity(expertSpec.outputSize());
        }
        return lease(
                expertSpec.file(),
                layer(layer).expertInput(expert),
                expertSpec.outputSize(),
                expertDevice);
    }

    /** The shared experts of a layer, each [batch, input] → [batch, output]. */
    public List<OnnxModel> sharedExperts(int layer) throws BundleException {
        return beside(layer, layer(layer).sharedExperts());
    }

    /** The branches of a layer, each [batch, input] → [batch, output]. */
    public List<OnnxModel> branches(int layer) throws BundleException {
        return beside(layer, layer(layer).options().branchFiles());
    }

    private List<OnnxModel> beside(int layer, List<ModelFile> files) throws BundleException {
        List<OnnxModel> models = new ArrayList<>();
        for (ModelFile file : files) {
            models.add(lease(file, layer(layer).inputSize(), layer(layer).outputSize()));
        }
        return models;
    }

    private LayerSpec layer(int layer) {
        return spec.layers().get(layer);
    }

    @Override
    public void close() {
        leases.forEach(SessionCache.Lease::close);
        leases.clear();
    }

    private ColumnModel leaseColumns(ModelFile file, List<Binding> inputs, List<Binding> outputs)
            throws BundleException {
        try {
            SessionCache.Lease<ColumnModel> lease =
                    SessionCache.shared()
                            .acquireColumns(
                                    bundle.file(file.file()),
                                    spec.checksums().get(file.file()),
                                    inputs,
                                    outputs);
            leases.add(lease);
            return lease.model();
        } catch (Throwable t) {
            onFailure.run();
            throw t;
        }
    }

    private OnnxModel lease(ModelFile file, int inputWidth, int outputWidth)
            throws BundleException {
        return lease(file, inputWidth, outputWidth, Device.CPU);
    }

    private OnnxModel lease(ModelFile file, int inputWidth, int outputWidth, Device device)
            throws BundleException {
        ModelTensors tensors = ModelTensors.of(file, inputWidth, outputWidth);
        try {
            SessionCache.Lease<OnnxModel> lease =
                    SessionCache.shared()
                            .acquire(
                                    bundle.file(file.file()),
                                    spec.checksums().get(file.file()),
                                    rowByRow.contains(file.file()) ? tensors.asRows() : tensors,
                                    device);
            leases.add(lease);
            return lease.model();
        } catch (Throwable t) {
            onFailure.run();
            throw t;
        }
    }
}
