// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

/** Bytes that are not the expected record. The message gives the reason. */
public final class MalformedRecordException extends Exception {

    private static final long serialVersionUID = 1L;

    /** Has no stack trace: bad records can be frequent, and the trace would always be the same. */
    MalformedRecordException(String reason) {
        super(reason, null, false, false);
    }
}
