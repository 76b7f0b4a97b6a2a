// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import com.fasterxml.jackson.annotation.JsonCreator;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * The names that a part of a layer can have in a checkpoint: {@code NAME | OTHER_NAME}.
 *
 * @param all the published name first
 */
@Internal
record Names(List<String> all) {

    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    static Names parse(String text) {
        return new Names(Arrays.stream(text.split("\\|")).map(String::strip).toList());
    }

    String first() {
        return all.get(0);
    }
}
