// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime;

import io.flinkmoe.config.MoeSettings;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.LayerSpec;
import org.apache.flink.annotation.Internal;

/** How many tokens a block has at most. */
@Internal
public final class BlockRows {

    /**
     * The approximate maximum size of a block. Flink spills records beyond 5 MiB to disk on the
     * receiving side.
     */
    private static final int MAX_BLOCK_BYTES = 1 << 20;

    /** The approximate maximum size of the vectors that pass replicated layers together. */
    private static final int MAX_GROUP_BYTES = 4 << 20;

    /** The approximate maximum size of the blocks that an ingest fills, for all lanes together. */
    private static final int MAX_PENDING_BYTES = 1 << 19;

    /** With fewer tokens for each lane, most blocks would contain only a few. */
    private static final int MIN_PENDING_PER_LANE = 16;

    /** The bytes of a choice in a block: expert, weight, score, outcome, attempt. */
    private static final int CHOICE_BYTES = 14;

    /** The bytes of a rank of one of several gates: place, weight, score. */
    private static final int RANK_BYTES = 10;

    private BlockRows() {}

    /** Returns the rows of the largest block of a job with these settings. */
    public static int largest(BundleSpec spec, MoeSettings settings) {
        int ofExchange = ofExchange(spec, settings);
        return settings.isReplicated()
                ? Math.max(ofExchange, replicated(spec, settings))
                : ofExchange;
    }

    /**
     * Returns the maximum number of tokens in a block: the batch size, or fewer if the widest
     * vectors of the tokens (inputs, hidden vectors, logits or outputs) or their choices in all
     * layers would exceed 1 MiB.
     */
    public static int ofExchange(BundleSpec spec, MoeSettings settings) {
        long most = Math.max(1, MAX_BLOCK_BYTES / widestBytes(spec, settings));
        return (int) Math.min(settings.batchSize(), most);
    }

    /**
     * Returns how many tokens an ingest keeps at most in all blocks that are not full yet. It sends
     * them in front of a barrier, and while a window closes, the barrier waits until the experts
     * have computed about as many tokens. Without windows, all blocks may fill.
     *
     * @param lanes the number of blocks
     * @param rows the maximum number of tokens in a block
     */
    public static int pending(BundleSpec spec, MoeSettings settings, int lanes, int rows) {
        long all = (long) lanes * rows;
        if (settings.capacity().windows().areBounded()) {
            long few = Math.max(rows, (long) lanes * MIN_PENDING_PER_LANE);
            all = Math.min(all, Math.max(few, MAX_PENDING_BYTES / widestBytes(spec, settings)));
        }
        return (int) Math.min(all, Integer.MAX_VALUE);
    }

    /** The bytes of a token's widest vector, or of its choices if they take more. */
    private static long widestBytes(BundleSpec spec, MoeSettings settings) {
        int widest = spec.widestSize();
        long choices = 0;
        for (LayerSpec layer : spec.layers()) {
            widest = Math.max(widest, Math.max(layer.numExperts(), layer.carriedSize()));
            if (settings.capacity().windows().areBounded() && !layer.expertsTakeTheResidual()) {
                widest = Math.max(widest, layer.expertRowSize() + layer.carriedSize());
            }
            choices += (long) layer.choices() * settings.attempts() * CHOICE_BYTES;
            choices += layer.hasOneGate() ? 0 : (long) layer.ranks() * RANK_BYTES;
        }
        return Math.max(widest * (long) Float.BYTES, choices);
    }

    /**
     * Returns how many tokens pass replicated layers together: as many as fill the calls of all
     * experts, if the tokens are spread evenly, but at most 4 MiB of the widest vectors. No block
     * of them is sent over a network.
     */
    static int replicated(BundleSpec spec, MoeSettings settings) {
        long rows = settings.batchSize();
        for (LayerSpec layer : spec.layers()) {
            int n = layer.numExperts();
            int k = layer.choices();
            rows = Math.max(rows, (long) settings.expertBatching().size() * n / k);
        }
        return (int) Math.max(1, Math.min(rows, MAX_GROUP_BYTES / widestBytes(spec, settings)));
    }
}
