// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.routing.GroupLimit;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.ScoringFunc;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** The routing of a layer, as a family's declaration and config.json say. */
@Internal
final class RoutingReader {

    private final Checkpoint checkpoint;
    private final CheckpointConfig config;
    private final Family family;

    RoutingReader(Checkpoint checkpoint, Family family) {
        this.checkpoint = checkpoint;
        this.config = checkpoint.config();
        this.family = family;
    }

    /**
     * The routing of a layer.
     *
     * @param n the rows of the router, those of identity experts included
     * @param countKey the key of the number of experts, for messages
     */
    RoutingConfig of(LayerStacks.MoeLayer layer, int n, String countKey) throws IOException {
        int k = family.k().positiveInt(config, layer.number());
        if (k > n) {
            throw config.invalid(
                    String.valueOf(family.k().key(config)),
                    "1 to %s, which is %d".formatted(countKey, n));
        }
        try {
            return build(layer, n, k);
        } catch (IllegalArgumentException e) {
            throw config.invalid(
                    "the routing of layer %s is invalid: %s"
                            .formatted(layer.name(), e.getMessage()));
        }
    }

    private RoutingConfig build(LayerStacks.MoeLayer layer, int n, int k) throws IOException {
        RoutingConfig routing =
                switch (family.score()) {
                    case SOFTMAX -> RoutingConfig.softmax(n, k);
                    case SIGMOID -> RoutingConfig.sigmoid(n, k);
                    case SPARSEMIXER ->
                            RoutingConfig.sparsemixer(
                                    n, k, (float) family.sparsemixerEps().number(config));
                    case IDENTITY -> throw new IllegalArgumentException("scoring_func is identity");
                };
        if (family.softcap() != null && family.softcap().number(config) != 0) {
            routing = routing.softcapped((float) family.softcap().number(config));
        }
        if (family.groups() != null) {
            GroupLimit limit = limit(family.groups(), layer.number());
            routing = limit == null ? routing : routing.limitedTo(limit);
        }
        if (family.correctionBias() != null) {
            routing = routing.biased(vector(layer, family.correctionBias(), n));
        }
        if (family.selectOn() != null) {
            routing = routing.selectedOn(family.selectOn());
        }
        routing = normalised(routing, k);
        double scale = family.scale() == null ? 1 : family.scale().number(config);
        if (family.perExpertScale() != null) {
            routing = routing.scaledPerExpert(vector(layer, family.perExpertScale(), n));
        }
        return scale == 1 ? routing : routing.scaledBy((float) scale);
    }

    private RoutingConfig normalised(RoutingConfig routing, int k) throws CheckpointException {
        if (family.normOrder() != null) {
            return byNorm(routing, family.normOrder());
        }
        if (family.score() == ScoringFunc.SPARSEMIXER || !family.normalise().flag(config)) {
            return routing;
        }
        return routing.normalized(true)
                .withDenominator(positive(family.normEpsilon()), positive(family.normFloor()));
    }

    private Float positive(Setting setting) throws CheckpointException {
        double value = setting == null ? 0 : setting.number(config);
        return value == 0 ? null : (float) value;
    }

    /** The weights are divided by their p-norm; null and 0 mean no division. */
    private RoutingConfig byNorm(RoutingConfig routing, Setting setting)
            throws CheckpointException {
        double order = setting.isNull(config) ? 0 : setting.number(config);
        if (order != 0 && order != 1 && order != 2) {
            throw config.invalid(setting.key(config), "null, 0, 1 or 2");
        }
        return order == 0 ? routing : routing.normalizedBy((int) order);
    }

    /** The limit to topk_group of n_group groups; null if that is all of them. */
    private GroupLimit limit(Family.Groups groups, int layer) throws CheckpointException {
        if (groups.nGroup().isNull(config)) {
            return null;
        }
        int count = groups.nGroup().positiveInt(config, layer);
        boolean isPublished = !groups.nGroup().isSet(config) || count == 1;
        int kept;
        if (isPublished && !groups.topkGroup().isSet(config)) {
            kept = Math.min(count, Integer.parseInt(groups.topkGroup().defaultValue()));
        } else {
            kept = config.positiveIntOf(groups.topkGroup().keys(), layer);
        }
        return kept == count ? null : new GroupLimit(count, kept, groups.score(), groups.mask());
    }

    /** A tensor [N], or [1, N]. */
    private List<Float> vector(LayerStacks.MoeLayer layer, Names names, int n) throws IOException {
        String tensor = layer.name() + "." + names.first();
        for (String name : names.all()) {
            if (checkpoint.contains(layer.name() + "." + name)) {
                tensor = layer.name() + "." + name;
                break;
            }
        }
        boolean isRow = checkpoint.contains(tensor) && checkpoint.shape(tensor).length == 2;
        float[] floats = isRow ? checkpoint.floats(tensor, 1, n) : checkpoint.floats(tensor, n);
        List<Float> values = new ArrayList<>();
        for (float value : floats) {
            values.add(value);
        }
        return values;
    }
}
