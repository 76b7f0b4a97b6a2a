// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import org.apache.flink.annotation.PublicEvolving;

/** The topic no longer has records that the source has to read. The message lists them. */
@PublicEvolving
public final class MissingOffsetsException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    MissingOffsetsException(String message) {
        super(message);
    }
}
