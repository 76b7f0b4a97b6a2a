// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.LayerSpec;
import java.util.ArrayList;
import java.util.List;
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
    private final Runnable onFailure;
    private final List<SessionCache.Lease> leases = new ArrayList<>();

    /** All models run on the CPU. */
    public BundleSessions(Bundle bundle) {
        this(bundle, Device.CPU);
    }

    /**
     * @param expertDevice the device of the experts; all other models run on the CPU
     */
    public BundleSessions(Bundle bundle, Device expertDevice) {
        this(bundle, expertDevice, () -> {});
    }

    /**
     * @param onFailure runs when a model cannot be opened
     */
    public BundleSessions(Bundle bundle, Device expertDevice, Runnable onFailure) {
        this.bundle = bundle;
        this.expertDevice = expertDevice;
        this.onFailure = onFailure;
        this.spec = bundle.spec();
    }

    public BundleSpec spec() {
        return spec;
    }

    /** The encoder, [batch, input] → [batch, d]; the bundle must have one. */
    public OnnxModel encoder() throws BundleException {
        return lease(spec.encoder(), spec.inputSize(), spec.hiddenSize());
    }

    /** The head, [batch, d] → [batch, output]; the bundle must have one. */
    public OnnxModel head() throws BundleException {
        return lease(spec.head(), spec.hiddenSize(), spec.outputSize());
    }

    /** A layer's router, [batch, d] (or [batch, input]) → logits [batch, N]. */
    public OnnxModel router(int layer) throws BundleException {
        LayerSpec layerSpec = spec.layers().get(layer);
        boolean seesToken = layerSpec.routerInput() == LayerSpec.RouterInput.TOKEN;
        return lease(
                layerSpec.router(),
                seesToken ? spec.inputSize() : spec.hiddenSize(),
                layerSpec.routing().numExperts());
    }

    /**
     * The standard deviations of a layer's noise, [batch, d] → [batch, N]; the layer must have
     * them.
     */
    public OnnxModel routerNoise(int layer) throws BundleException {
        LayerSpec layerSpec = spec.layers().get(layer);
        return lease(layerSpec.routerNoise(), spec.hiddenSize(), layerSpec.routing().numExperts());
    }

    /** The expert scale of a layer, [batch, d] → [batch, 1]; the layer must have one. */
    public OnnxModel expertScale(int layer) throws BundleException {
        return lease(spec.layers().get(layer).expertScale(), spec.hiddenSize(), 1);
    }

    /** A layer's norm, [batch, d] → [batch, d]; the layer must have one. */
    public OnnxModel norm(int layer) throws BundleException {
        return hidden(spec.layers().get(layer).norm());
    }

    /** One expert of a layer, [batch, d] → [batch, d]. */
    public OnnxModel expert(int layer, int expert) throws BundleException {
        String file = spec.layers().get(layer).experts().get(expert);
        return lease(file, spec.hiddenSize(), spec.hiddenSize(), expertDevice);
    }

    /** The shared experts of a layer, each [batch, d] → [batch, d]. */
    public List<OnnxModel> sharedExperts(int layer) throws BundleException {
        List<OnnxModel> models = new ArrayList<>();
        for (String file : spec.layers().get(layer).sharedExperts()) {
            models.add(hidden(file));
        }
        return models;
    }

    @Override
    public void close() {
        leases.forEach(SessionCache.Lease::close);
        leases.clear();
    }

    private OnnxModel hidden(String file) throws BundleException {
        return lease(file, spec.hiddenSize(), spec.hiddenSize());
    }

    private OnnxModel lease(String file, int inputWidth, int outputWidth) throws BundleException {
        return lease(file, inputWidth, outputWidth, Device.CPU);
    }

    private OnnxModel lease(String file, int inputWidth, int outputWidth, Device device)
            throws BundleException {
        try {
            SessionCache.Lease lease =
                    SessionCache.shared()
                            .acquire(
                                    bundle.file(file),
                                    spec.checksums().get(file),
                                    inputWidth,
                                    outputWidth,
                                    device);
            leases.add(lease);
            return lease.model();
        } catch (Throwable t) {
            onFailure.run();
            throw t;
        }
    }
}
