// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.cli;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** A table for terminals. The width of a column fits its content. */
@Internal
public final class TextTable {

    private static final String GAP = "  ";

    private final List<String[]> rows = new ArrayList<>();
    private final boolean[] right;

    /**
     * @param columns the names of the columns; a name that begins with {@code >} aligns its column
     *     to the right; if all names are empty, the table has no header
     */
    public TextTable(String... columns) {
        right = new boolean[columns.length];
        String[] names = new String[columns.length];
        for (int i = 0; i < columns.length; i++) {
            right[i] = columns[i].startsWith(">");
            names[i] = right[i] ? columns[i].substring(1) : columns[i];
        }
        if (!String.join("", names).isEmpty()) {
            rows.add(names);
        }
    }

    /** Adds a row with one cell per column. */
    public TextTable row(Object... cells) {
        if (cells.length != right.length) {
            throw new IllegalArgumentException(
                    "%d cells for %d columns".formatted(cells.length, right.length));
        }
        String[] row = new String[cells.length];
        for (int i = 0; i < cells.length; i++) {
            row[i] = String.valueOf(cells[i]);
        }
        rows.add(row);
        return this;
    }

    /** The table, one line per row, without trailing blanks. */
    @Override
    public String toString() {
        int[] widths = new int[right.length];
        for (String[] row : rows) {
            for (int i = 0; i < row.length; i++) {
                widths[i] = Math.max(widths[i], row[i].length());
            }
        }
        StringBuilder text = new StringBuilder();
        for (String[] row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < row.length; i++) {
                String blanks = " ".repeat(widths[i] - row[i].length());
                line.append(GAP).append(right[i] ? blanks + row[i] : row[i] + blanks);
            }
            text.append(line.toString().stripTrailing()).append(System.lineSeparator());
        }
        return text.toString();
    }
}
