// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import org.apache.flink.annotation.Internal;

/** The names of the files in the folder that a fuzz process and its parent share. */
@Internal
final class FuzzFiles {

    static final String PROGRESS = "progress";
    static final String DEFECTS = "defects.txt";

    private FuzzFiles() {}

    /** The name of the file that contains an input which shows a defect. */
    static String inputFile(long number) {
        return "input-" + number;
    }
}
