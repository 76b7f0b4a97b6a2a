// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import io.flinkmoe.api.Rejection;
import org.apache.flink.annotation.Internal;

/** A record that cannot be scored. */
@Internal
public final class BadRecordException extends Exception {

    private static final long serialVersionUID = 1L;

    private final Rejection.Kind kind;

    /** Has no stack trace: bad records can be frequent, and the trace would always be the same. */
    public BadRecordException(Rejection.Kind kind, String reason) {
        super(reason, null, false, false);
        this.kind = kind;
    }

    /**
     * The same problem of another part of the record.
     *
     * @param prefix what the reason begins with
     */
    public BadRecordException as(Rejection.Kind other, String prefix) {
        return new BadRecordException(other, prefix + getMessage());
    }

    public Rejection rejection() {
        return new Rejection(kind, getMessage());
    }
}
