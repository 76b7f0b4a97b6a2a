package io.flinkmoe.runtime.router;

import ai.onnxruntime.OrtException;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Origin;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.Token;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.FlinkException;

/**
 * The tokens that a router's models throw at, as an encoder does at a category that it does not
 * know. They become dead letters. Only where the models can read nothing at all does the job fail.
 */
@Internal
final class UnreadableTokens {

    /** So many bad tokens may come first, before it is the model that is bad. */
    private static final int MAX_BEFORE_ANY_IS_READ = 1_000;

    /** Runs the models over a row of zeros. */
    interface Probe {
        void run() throws OrtException;
    }

    private final int layer;
    private final String version;
    private final Probe zeros;
    private final List<DeadLetter> noted = new ArrayList<>();
    private boolean anyIsRead;
    private int rejected;

    /**
     * @param layer the MoE layer, counted from 0
     * @param version of the model
     */
    UnreadableTokens(int layer, String version, Probe zeros) {
        this.layer = layer;
        this.version = version;
        this.zeros = zeros;
    }

    /** Some token could be read. */
    void noteRead() {
        anyIsRead = true;
    }

    /** A token could not, by itself. */
    void note(Token token, Origin origin, OrtException cause) {
        String where = "position %d of stream %s".formatted(token.position(), token.stream());
        if (layer == 0) {
            note(
                    token,
                    origin,
                    "the model cannot read %s: %s".formatted(where, cause.getMessage()));
            return;
        }
        // What is at hand is a hidden vector, which nobody must take for the token's values.
        Token known = new Token(token.stream(), token.position(), token.timestamp(), new float[0]);
        note(
                known,
                origin,
                "layer %d cannot read %s, whose values are gone: %s"
                        .formatted(layer, where, cause.getMessage()));
    }

    private void note(Token token, Origin origin, String reason) {
        noted.add(DeadLetter.of(origin, token, new Rejection(Rejection.Kind.MODEL, reason)));
    }

    /**
     * What was noted, once.
     *
     * @throws FlinkException if that is all there ever was, and the models throw at zeros too
     */
    List<DeadLetter> take() throws FlinkException {
        if (noted.isEmpty()) {
            return List.of();
        }
        rejected += noted.size();
        if (!anyIsRead && rejected >= MAX_BEFORE_ANY_IS_READ) {
            requireZerosToBeRead();
        }
        List<DeadLetter> taken = List.copyOf(noted);
        noted.clear();
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
