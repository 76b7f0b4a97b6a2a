// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import org.apache.flink.annotation.Internal;

/** What the answers of a disturbed run can have in which they differ from those they should be. */
@Internal
enum Difference {
    MISSING("missing", "tokens are missing"),
    /** To a token that already has an answer, or to an unknown one. */
    DUPLICATED("duplicated", "tokens are duplicated"),
    /** After the answer to a later token of the stream. */
    OUT_OF_ORDER("out of order", "tokens are out of order within their stream"),
    /** Other values, weights, timestamp or model version. */
    BITS("different bits", "tokens have different bits"),
    /** Other experts or outcomes. */
    OUTCOMES("different outcomes", "tokens have different outcomes"),
    /** A window in which an expert admitted more or less than it should. */
    ADMISSIONS("wrong admissions", "times an expert admitted too much or too little in a window"),
    /** Other outcomes for a token, which its arrival explains. No defect. */
    ARRIVAL("decided otherwise", ""),
    /** With idempotent delivery: a record that comes again, the same in all parts. No defect. */
    REPEATED("repeated", ""),
    /** A record that a process wrote after it had been paused and replaced. No defect. */
    BY_ZOMBIES("by zombies", ""),
    /** A record that comes again under its key, with another value or other headers. */
    CHANGED("changed", "records come again with another value or other headers"),
    /** A record under a key that is not its token's, or not in the partition of its stream. */
    MISPLACED("misplaced", "records have a wrong key or partition");

    private final String label;
    private final String defect;

    Difference(String label, String defect) {
        this.label = label;
        this.defect = defect;
    }

    /** The name in tables. */
    String label() {
        return label;
    }

    /** What a count of them means. */
    String defect() {
        return defect;
    }

    boolean isDefect() {
        return this != ARRIVAL && this != REPEATED && this != BY_ZOMBIES;
    }
}
