// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/** The model.json of a bundle whose other files are valid. */
@Internal
final class ModelJsonTarget implements FuzzTarget {

    private static final String OPTIONAL_FIELDS =
            """
            "e_score_correction_bias": [0.5, -1],
            "group_limit": {"n_group": 1, "topk_group": 1, "group_score": "max", "mask": "zero"},
            "norm_order": 2, "routed_scaling_factor": 2.5,
            "noise": {"kind": "input_jitter", "amount": 0.01},
            """;

    private Path bundle;

    @Override
    public List<byte[]> open(Path dir) throws IOException {
        bundle = dir.resolve("bundle");
        List<byte[]> samples = new ArrayList<>();
        TinyModels.bundle(bundle);
        byte[] plain = Files.readAllBytes(bundle.resolve("model.json"));
        samples.add(plain);
        samples.add(
                new String(plain, StandardCharsets.UTF_8)
                        .replace("\"norm_topk_prob\"", OPTIONAL_FIELDS + "\"norm_topk_prob\"")
                        .getBytes(StandardCharsets.UTF_8));
        return samples;
    }

    @Override
    public void read(byte[] input) throws IOException {
        Files.write(bundle.resolve("model.json"), input);
        Bundle.read(bundle);
    }

    @Override
    public Set<Class<? extends Exception>> rejections() {
        return Set.of(BundleException.class);
    }

    /** If the input is accepted, all files of the bundle are read, with a buffer for each. */
    @Override
    public long allocationLimit(int inputLength) {
        return (2 << 20) + 256L * inputLength;
    }
}
