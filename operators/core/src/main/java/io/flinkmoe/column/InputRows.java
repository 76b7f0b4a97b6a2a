// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.column;

import java.io.Serializable;
import java.util.List;
import org.apache.flink.annotation.PublicEvolving;

/**
 * The inputs of T tokens.
 *
 * @param numbers [T, words], packed and little endian; for a vector its values
 * @param strings [T, S], the strings of the tokens
 */
@PublicEvolving
public record InputRows(byte[] numbers, String[] strings) implements Serializable {

    private static final long serialVersionUID = 1L;

    /** Returns the inputs of tokens whose values were built with a layout. */
    public static InputRows of(InputLayout inputs, List<TypedValues> tokens) {
        int t = tokens.size();
        byte[] numbers = new byte[Math.multiplyExact(t, inputs.words() * Integer.BYTES)];
        String[] strings = new String[t * inputs.strings()];
        for (int token = 0; token < t; token++) {
            inputs.put(tokens.get(token), numbers, strings, token);
        }
        return new InputRows(numbers, strings);
    }

    /** T. */
    public int tokens(InputLayout inputs) {
        int bytes = inputs.words() * Integer.BYTES;
        return bytes > 0 ? numbers.length / bytes : strings.length / inputs.strings();
    }
}
