package io.flinkmoe.capacity;

import java.io.Serializable;

/**
 * How many tokens of a window one expert runs: at most {@code tokens}, first come, first served.
 *
 * @param windows the windows that are counted
 * @param tokens C, the expert capacity, tokens per expert and window
 */
public record Capacity(TumblingWindows windows, int tokens) implements Serializable {

    public Capacity {
        if (tokens < 0) {
            throw new IllegalArgumentException(
                    "expert capacity is %d tokens; allowed: 0 or more".formatted(tokens));
        }
    }

    /** Whether one more token finds room in a window with this account. */
    public boolean hasRoom(WindowAccount account) {
        return account.admitted() < tokens;
    }
}
