// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.column.Column;
import io.flinkmoe.column.TypedValues;
import org.apache.flink.annotation.Internal;

/** Finds the outputs of scored tokens. */
@Internal
final class AnswerOutputs {

    private AnswerOutputs() {}

    /**
     * Returns the value of an output: for a vector an array, else a Float, Double, Integer, Long,
     * Boolean or String; null if nothing ran.
     *
     * @param index the number of the output
     */
    static Object of(ScoredToken token, Column output, int index) {
        TypedValues named = token.outputs();
        if (named != null) {
            return named.get(index);
        }
        float[] values = token.values();
        return values == null || output.width() != null ? values : (Object) values[0];
    }
}
