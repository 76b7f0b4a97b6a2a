// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import org.apache.flink.annotation.PublicEvolving;

/** Is told how far an import is. The calls come from the thread that imports. */
@PublicEvolving
@FunctionalInterface
public interface ImportProgress {

    /**
     * Is called once before the first byte is written, and then after each block of at most some
     * hundred kilobytes.
     *
     * @param written the bytes that are written
     * @param total the bytes of all files except model.json
     */
    void report(long written, long total);
}
