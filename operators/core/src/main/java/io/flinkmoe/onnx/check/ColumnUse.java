// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.check;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.OpenedModels.Bits;
import io.flinkmoe.tensor.Sha256;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * The use of a file as an encoder or a head with typed columns.
 *
 * @param file its path in the bundle
 */
@Internal
record ColumnUse(String file, boolean isEncoder) {

    /** All such uses in a bundle. */
    static List<ColumnUse> of(BundleSpec spec) {
        List<ColumnUse> uses = new ArrayList<>();
        if (spec.encodesColumns()) {
            uses.add(new ColumnUse(spec.encoder().file(), true));
        }
        if (spec.headHasColumns()) {
            uses.add(new ColumnUse(spec.head().file(), false));
        }
        return uses;
    }

    /** What identifies the file and the columns that it is opened for. */
    String key(Bundle bundle) {
        BundleSpec spec = bundle.spec();
        Object columns = isEncoder ? spec.inputs() : spec.outputs();
        // Not the hash code, which differs from process to process.
        String digest = Sha256.of(columns.toString().getBytes(StandardCharsets.UTF_8));
        return "columns:%s:%s".formatted(spec.checksums().get(file), digest.substring(0, 16));
    }

    /** Opens the file and runs probe rows. */
    Bits open(Bundle bundle) throws BundleException {
        return isEncoder
                ? ColumnProbe.encoder(bundle.file(file), bundle.spec())
                : ColumnProbe.head(bundle.file(file), bundle.spec());
    }
}
