package io.flinkmoe.schemas;

/** Bytes that are not the record they should be. The message says why, for a person to read. */
public final class MalformedRecordException extends Exception {

    private static final long serialVersionUID = 1L;

    /** Without a stack trace: bad records may come by the thousand, and all from the same place. */
    MalformedRecordException(String reason) {
        super(reason, null, false, false);
    }
}
