// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import org.apache.flink.annotation.Internal;

/** The name by which files say who wrote them. */
@Internal
public final class Producer {

    /** The name in our files. */
    public static final String NAME = "flink-moe";

    private Producer() {}
}
