// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import ai.onnxruntime.OrtException;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.Token;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.onnx.layer.RoutingFault;
import io.flinkmoe.runtime.block.SingleToken;
import io.flinkmoe.runtime.block.TokenBlock;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.FlinkException;

/**
 * The tokens for which a model of the router throws, for example an encoder at an unknown category,
 * for which the encoder's output is not finite, or for which a rule has no expert. They are
 * rejected. The job fails only if the models throw for every input.
 */
@Internal
final class UnreadableTokens {

    /** After this many rejected tokens and no readable one, the models are tested with zeros. */
    private static final int MAX_BEFORE_ANY_IS_READ = 1_000;

    /** Runs the models over a row of zeros. */
    interface Probe {
        void run() throws OrtException;
    }

    private final int layer;
    private final InputLayout inputs;
    private final String version;
    private final Probe zeros;
    private final List<DeadLetter> unreadable = new ArrayList<>();
    private boolean anyIsRead;
    private int rejected;

    /**
     * @param layer the MoE layer, counted from 0
     * @param inputs the input columns of tokens, which only the first layer knows
     * @param version the version of the model
     * @param zeros tests whether the models can read any input
     */
    UnreadableTokens(int layer, InputLayout inputs, String version, Probe zeros) {
        this.layer = layer;
        this.inputs = inputs;
        this.version = version;
        this.zeros = zeros;
    }

    /** Records that a token could be read. */
    void markReadable() {
        anyIsRead = true;
    }

    /** Records the token of a block of one token, which could not be read. */
    void add(TokenBlock alone, OrtException cause) {
        String where = where(alone);
        add(
                alone,
                Rejection.Kind.MODEL,
                layer == 0
                        ? "the model cannot read %s: %s".formatted(where, cause.getMessage())
                        : "layer %d cannot read %s (its input values are no longer known): %s"
                                .formatted(layer, where, cause.getMessage()));
    }

    /** After the first layer only a hidden vector is known, which must not pass for the inputs. */
    private void add(TokenBlock alone, Rejection.Kind kind, String reason) {
        Token token = layer == 0 ? SingleToken.of(alone, inputs) : SingleToken.withoutInputs(alone);
        unreadable.add(DeadLetter.of(alone.origin(0), token, new Rejection(kind, reason)));
    }

    private String reason(RoutingFault fault, TokenBlock alone) {
        return fault.reason(layer, alone.positions()[0], alone.streams()[0]);
    }

    private static String where(TokenBlock alone) {
        return "position %d of stream %s".formatted(alone.positions()[0], alone.streams()[0]);
    }

    /**
     * Records tokens for which the encoder's output is not finite.
     *
     * @param width the number of values of a token
     */
    void addNotFinite(TokenBlock tokens, int width) {
        markReadable(); // The models ran.
        for (TokenBlock alone : tokens.slices(1, width)) {
            add(alone, Rejection.Kind.OUTPUT_NOT_FINITE, reason(RoutingFault.ENCODING, alone));
        }
    }

    /**
     * Records tokens for which the rule of a gate has no expert.
     *
     * @param width the number of values of a token
     */
    void addWithoutExpert(TokenBlock tokens, int width) {
        markReadable(); // The models ran.
        for (TokenBlock alone : tokens.slices(1, width)) {
            add(alone, Rejection.Kind.NO_EXPERT, reason(RoutingFault.NO_MATCH, alone));
        }
    }

    /**
     * Returns the recorded tokens, each only once.
     *
     * @throws FlinkException if no token could ever be read, and the models throw for zeros too
     */
    List<DeadLetter> take() throws FlinkException {
        if (unreadable.isEmpty()) {
            return List.of();
        }
        rejected += unreadable.size();
        if (!anyIsRead && rejected >= MAX_BEFORE_ANY_IS_READ) {
            requireZerosToBeRead();
        }
        List<DeadLetter> taken = List.copyOf(unreadable);
        unreadable.clear();
        return taken;
    }

    private void requireZerosToBeRead() throws FlinkException {
        try {
            zeros.run();
            anyIsRead = true;
        } catch (OrtException e) {
            throw new FlinkException(
                    "layer %d (model version %s): encoder, norm, router or a shared expert fails on every input, the first %d tokens and zeros: %s"
                            .formatted(layer, version, rejected, e.getMessage()),
                    e);
        }
    }
}
