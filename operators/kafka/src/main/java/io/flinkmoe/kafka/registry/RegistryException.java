// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.registry;

import java.io.IOException;
import org.apache.flink.annotation.PublicEvolving;

/** The registry did not give what was asked for. The message contains no credentials. */
@PublicEvolving
public final class RegistryException extends IOException {

    private static final long serialVersionUID = 1L;

    /** Why. */
    public enum Kind {
        /** It does not answer, or does not let this client in. It may do so later. */
        AWAY,
        /** It has no such schema, version or subject. It may have it later. */
        UNKNOWN,
        /** It has something else than what was asked for, or does not take what it was given. */
        UNUSABLE
    }

    private final Kind kind;

    RegistryException(Kind kind, String message) {
        super(message);
        this.kind = kind;
    }

    /** The same, with what was wanted first. */
    RegistryException about(String wanted) {
        return new RegistryException(kind, wanted + ": " + getMessage());
    }

    public Kind kind() {
        return kind;
    }
}
