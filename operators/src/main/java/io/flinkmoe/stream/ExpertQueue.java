package io.flinkmoe.stream;

import java.util.ArrayList;
import java.util.List;

/** Rows that one expert has admitted and not run yet: parts of dispatch blocks, in order. */
final class ExpertQueue {

    /**
     * Rows of one block, to be run and answered together.
     *
     * @param block where the rows are
     * @param rows which rows of the block, ascending
     */
    record Part(DispatchBlock block, int[] rows) {}

    private final List<Part> parts = new ArrayList<>();
    private int rows;

    void add(DispatchBlock block, int[] admitted) {
        parts.add(new Part(block, admitted));
        rows += admitted.length;
    }

    /** Rows in all parts. */
    int rows() {
        return rows;
    }

    List<Part> parts() {
        return parts;
    }

    void clear() {
        parts.clear();
        rows = 0;
    }
}
