package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.Activation;
import io.flinkmoe.model.ExpertGraphs;
import io.flinkmoe.model.NormGraphs;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.List;

/**
 * DBRX (databricks/dbrx, {@code modeling_dbrx.py}): every layer is sparse; w1 (gate), v1 (up) and
 * w2 (down) of all N experts are stacked to [N*h, d] each, w2 with its output dimension last. The
 * norm is a LayerNorm without bias.
 */
final class DbrxLayout implements CheckpointLayout {
    /** PyTorch's default; config.json has no key for it. */
    private static final float EPS = 1e-5f;

    private static final String NORM_ORDER = "ffn_config.moe_normalize_expert_weights";

    private final Checkpoint checkpoint;
    private final Activation activation;
    private final int d;
    private final int h;
    private final int numExperts;
    private final int topK;
    private final int normOrder;
    private final List<String> layers;

    DbrxLayout(Checkpoint checkpoint) throws CheckpointException {
        this.checkpoint = checkpoint;
        activation = LayoutParts.activation(checkpoint, "ffn_config.ffn_act_fn.name", "silu");
        d = checkpoint.config().positiveInt("d_model");
        h = checkpoint.config().positiveInt("ffn_config.ffn_hidden_size");
        numExperts = checkpoint.config().positiveInt("ffn_config.moe_num_experts");
        topK = LayoutParts.topK(checkpoint, "ffn_config.moe_top_k", "ffn_config.moe_num_experts");
        normOrder = normOrder();
        layers =
                LayoutParts.layers(
                        checkpoint,
                        "transformer.blocks.%d",
                        checkpoint.config().positiveInt("n_layers"),
                        layer -> true);
    }

    /**
     * The p of the norm that the weights are divided by, or 0 for none; 1 unless config.json says.
     */
    private int normOrder() throws CheckpointException {
        if (checkpoint.config().isNull(NORM_ORDER)) {
            return 0;
        }
        double order = checkpoint.config().number(NORM_ORDER, 1);
        if (order != 0 && order != 1 && order != 2) {
            throw checkpoint.config().badConfig(NORM_ORDER, "null, 0, 1 or 2");
        }
        return (int) order;
    }

    @Override
    public int hiddenSize() {
        return d;
    }

    @Override
    public List<String> layers() {
        return layers;
    }

    @Override
    public RoutingConfig routing(String layer) {
        RoutingConfig routing = RoutingConfig.softmax(numExperts, topK);
        return normOrder == 0 ? routing : routing.normalizedBy(normOrder);
    }

    @Override
    public byte[] norm(String layer) throws IOException {
        String weight = layer + ".norm_attn_norm.norm_2.weight";
        return checkpoint.contains(weight)
                ? NormGraphs.layerNorm(checkpoint.floats(weight, d), null, d, EPS)
                : null;
    }

    @Override
    public byte[] router(String layer) throws IOException {
        return LayoutParts.router(checkpoint, layer + ".ffn.router.layer.weight", numExperts, d);
    }

    @Override
    public byte[] expert(String layer, int expert) throws IOException {
        return ExpertGraphs.gated(
                activation,
                stacked(layer, "w1", expert),
                stacked(layer, "v1", expert),
                transposed(stacked(layer, "w2", expert)),
                d,
                h);
    }

    /** One expert's [h, d] of a stacked matrix. */
    private float[] stacked(String layer, String matrix, int expert) throws IOException {
        String name = "%s.ffn.experts.mlp.%s".formatted(layer, matrix);
        return checkpoint.part(name, expert, numExperts, (long) numExperts * h, d);
    }

    /** [h, d] to [d, h]. */
    private float[] transposed(float[] matrix) {
        float[] transposed = new float[matrix.length];
        for (int row = 0; row < h; row++) {
            for (int column = 0; column < d; column++) {
                transposed[column * h + row] = matrix[row * d + column];
            }
        }
        return transposed;
    }
}
