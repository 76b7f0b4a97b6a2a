// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.replicated;

import io.flinkmoe.config.ExpertSettings;
import io.flinkmoe.config.RouterSettings;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.Device;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.layer.BlockRouter;
import io.flinkmoe.runtime.layer.CombineMetrics;
import io.flinkmoe.runtime.shared.ChoiceCounter;
import io.flinkmoe.runtime.shared.LocalBundle;
import io.flinkmoe.runtime.shared.MoeMetrics;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;

/**
 * Router, experts and combine of all layers, for layers without a capacity. Every subtask runs
 * every expert; the subtasks of a process share the models. Tokens stay in their order, and none
 * waits here, so there is no state. The results have the same bits as those of the separate
 * operators, because both run the same steps.
 */
@Internal
public final class ReplicatedLayers extends AbstractStreamOperator<TokenBlock>
        implements OneInputStreamOperator<TokenBlock, TokenBlock> {

    private static final long serialVersionUID = 1L;

    /** The key of a layer's metric group; the value is the layer's number. */
    private static final String LAYER = "layer";

    private final LocalBundle bundle;
    private final int maxRows;
    private final RouterSettings routerSettings;
    private final ExpertSettings expertSettings;

    private transient BundleSessions sessions;
    private transient LocalLayer[] layers;
    private transient List<ProcessMetrics> expertMetrics;

    /**
     * @param maxRows the maximum number of tokens that pass the layers together
     */
    public ReplicatedLayers(
            LocalBundle bundle,
            int maxRows,
            RouterSettings routerSettings,
            ExpertSettings expertSettings) {
        this.bundle = bundle;
        this.maxRows = maxRows;
        this.routerSettings = routerSettings;
        this.expertSettings = expertSettings;
    }

    @Override
    public void open() throws Exception {
        super.open();
        sessions = bundle.sessions(getRuntimeContext(), Device.CPU);
        MoeMetrics.registerModel(getMetricGroup(), sessions.spec().version());
        expertMetrics = new ArrayList<>();
        layers = new LocalLayer[sessions.spec().layers().size()];
        for (int layer = 0; layer < layers.length; layer++) {
            MetricGroup group = metrics(layer);
            BlockRouter router =
                    new BlockRouter(
                            sessions,
                            layer,
                            maxRows,
                            routerSettings,
                            new BlockRouter.Host(output, group, ChoiceCounter.NONE));
            ProcessMetrics ofExperts =
                    ProcessMetrics.open(key(layer), router.spec().numExperts(), group);
            expertMetrics.add(ofExperts);
            if (ofExperts.reports()) {
                router.registerShares();
            }
            layers[layer] =
                    new LocalLayer(
                            sessions,
                            router,
                            layer,
                            expertSettings,
                            new LocalLayer.Metrics(ofExperts.experts(), new CombineMetrics(group)));
        }
    }

    private ProcessMetrics.Key key(int layer) {
        return new ProcessMetrics.Key(
                getRuntimeContext().getJobInfo().getJobId(), getOperatorName(), layer);
    }

    /** A model with one layer has the metric names of separate operators. */
    private MetricGroup metrics(int layer) {
        return layers.length == 1
                ? getMetricGroup()
                : getMetricGroup().addGroup(LAYER, String.valueOf(layer));
    }

    @Override
    public void processElement(StreamRecord<TokenBlock> element) throws Exception {
        for (TokenBlock tokens : element.getValue().slices(maxRows, layers[0].inputWidth())) {
            runFrom(0, tokens);
        }
    }

    private void runFrom(int layer, TokenBlock tokens) throws Exception {
        if (layer == layers.length) {
            output.collect(new StreamRecord<>(tokens));
        } else {
            layers[layer].run(tokens, combined -> runFrom(layer + 1, combined));
        }
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        for (LocalLayer layer : layers) {
            layer.advance(mark.getTimestamp());
        }
        super.processWatermark(mark);
    }

    /** As with separate operators: nothing inside or after a layer is ever idle. */
    @Override
    public void processWatermarkStatus(WatermarkStatus status) {}

    @Override
    public void close() throws Exception {
        if (expertMetrics != null) {
            expertMetrics.forEach(ProcessMetrics::close);
        }
        if (sessions != null) {
            sessions.close();
        }
        super.close();
    }
}
