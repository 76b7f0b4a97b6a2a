// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import io.flinkmoe.column.InputSpec;
import java.util.Set;
import org.apache.avro.LogicalType;
import org.apache.flink.annotation.Internal;

/**
 * Decodes the values, or the keys, of records, and finds values in them. What is wanted of the
 * records is said before the first one is decoded.
 */
@Internal
public interface RecordReader {

    /** The part of Kafka's records that is decoded. */
    enum Part {
        VALUE,
        KEY;

        /** The part in a message. */
        @Override
        public String toString() {
            return this == VALUE ? "value" : "key";
        }
    }

    /** Decodes a record. It may be reused by the next call. */
    Object decode(byte[] message) throws BadRecordException;

    /**
     * Returns what finds the values of an input at a path.
     *
     * @param isAlone whether the input has no other fields
     * @throws AbsentFieldException if the schema, if there is one, lacks the field
     * @throws IllegalArgumentException if the schema, if there is one, has no such value there; the
     *     message says why
     */
    Field input(FieldPath path, InputSpec input, boolean isAlone);

    /**
     * Returns what finds a whole number at a path.
     *
     * @throws IllegalArgumentException if the schema, if there is one, has none there
     */
    Field whole(FieldPath path);

    /**
     * Returns what finds a name at a path, a text or a whole number.
     *
     * @throws IllegalArgumentException if the schema, if there is one, has no value there
     */
    Field name(FieldPath path);

    /**
     * Returns what keeps fields for answers.
     *
     * @throws IllegalArgumentException if the schema, if there is one, lacks one of them, or if a
     *     name would be in the answer twice
     */
    Keeper keeper(KeptFields fields);

    /** The paths of fields that some record had and that the reader's schema does not have. */
    default Set<String> dropped() {
        return Set.of();
    }

    /** Finds a value in decoded records. */
    interface Field {

        /**
         * Returns the value: a Boolean, a String, a Number, a float array, a List of these, or null
         * if it is missing or null, or if it is in a record that is.
         */
        Object get(Object decoded) throws BadRecordException;

        /** The logical type there in an Avro schema; null if there is none, or no schema. */
        default LogicalType logicalType() {
            return null;
        }
    }

    /** Keeps fields of the record that was decoded last. */
    interface Keeper {

        /** The form of fields of a JSON object, without its braces. */
        long JSON = 0;

        /** The form of no fields in Avro. */
        long NOTHING = 1;

        /**
         * The form of what is kept: {@link #JSON}, {@link #NOTHING}, or the fingerprint of the Avro
         * schema that has the kept fields only.
         */
        long form();

        /** Returns the kept fields of the record. */
        byte[] kept(Object decoded, byte[] message) throws BadRecordException;
    }
}
