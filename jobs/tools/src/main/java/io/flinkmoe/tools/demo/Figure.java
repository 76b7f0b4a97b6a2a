// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * A row of the table of figures.
 *
 * @param note its unit, or additional information
 */
@Internal
record Figure(String name, String value, String note) {

    /** The cells of the row. */
    List<String> cells() {
        return List.of(name, value, note);
    }
}
