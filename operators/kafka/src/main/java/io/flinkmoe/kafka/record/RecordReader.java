// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import io.flinkmoe.column.InputSpec;
import org.apache.flink.annotation.Internal;

/** Decodes records of one format, and finds values in them. */
@Internal
interface RecordReader {

    /** Decodes a record. It may be reused by the next call. */
    Object decode(byte[] message) throws BadRecordException;

    /**
     * Returns what finds the value at a path.
     *
     * @throws IllegalArgumentException if the records have no such value; the message says why
     */
    Field field(FieldPath path);

    /** Finds a value in decoded records. */
    interface Field {

        /**
         * Returns the value: a Boolean, a String, a Number, a List of these, or null if it is
         * missing or null, or if it is in a record that is.
         */
        Object get(Object decoded) throws BadRecordException;

        /**
         * Requires that the schema, if there is one, has a value for an input here.
         *
         * @param isAlone whether the input has no other fields
         * @throws IllegalArgumentException if it has another; the message says what
         */
        default void require(InputSpec input, boolean isAlone) {}

        /**
         * Requires that the schema, if there is one, has a whole number here.
         *
         * @throws IllegalArgumentException if it has not
         */
        default void requireWhole() {}
    }
}
