// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.LimitContender;
import io.flinkmoe.tools.bench.contenders.Shape;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/**
 * The speed of a model with given dimensions.
 *
 * @param flinkMoe tokens per second
 * @param limit tokens per second without Flink
 */
@Internal
public record Growth(int d, int h, int numExperts, int k, double flinkMoe, double limit) {

    private static final int H = 256;
    private static final int BATCH = 1024;

    static List<Growth> measure(BenchContext context) throws Exception {
        Set<Shape> shapes = new LinkedHashSet<>();
        for (int n : new int[] {8, 16, 32, 64, 128, 256}) {
            shapes.add(shape(256, n, 2));
        }
        for (int k : new int[] {1, 2, 4, 8}) {
            shapes.add(shape(256, 16, k));
        }
        for (int d : new int[] {64, 256, 1024, 4096}) {
            shapes.add(shape(d, 16, 2));
        }
        List<Growth> all = new ArrayList<>();
        for (Shape shape : shapes) {
            context.report("d=%d, N=%d, k=%d", shape.d(), shape.numExperts(), shape.k());
            Contenders contenders = context.contenders(shape);
            try (LimitContender limit = new LimitContender(contenders.bundle(), BATCH, 1)) {
                all.add(
                        new Growth(
                                shape.d(),
                                shape.h(),
                                shape.numExperts(),
                                shape.k(),
                                contenders.of(Contenders.FLINK_MOE).rate(context.time()),
                                limit.rate(context.time().dividedBy(2))));
            }
        }
        return all;
    }

    private static Shape shape(int d, int n, int k) {
        return new Shape("growth-%d-%d-%d".formatted(d, n, k), d, H, n, k);
    }
}
