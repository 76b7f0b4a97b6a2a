// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import org.apache.flink.annotation.Internal;

/** A schema of records does not have a field. */
@Internal
public final class AbsentFieldException extends IllegalArgumentException {

    private static final long serialVersionUID = 1L;

    AbsentFieldException(String message) {
        super(message);
    }
}
