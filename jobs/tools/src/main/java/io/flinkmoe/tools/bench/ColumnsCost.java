// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.FlinkContender;
import io.flinkmoe.tools.bench.contenders.Shape;
import io.flinkmoe.tools.bench.contenders.ShapeEncoder;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * The cost of typed columns: the same encoder reads ten features as a vector of floats, and as ten
 * columns, seven of them floats and three integers.
 */
@Internal
final class ColumnsCost {

    /** The shape that is measured: its experts take the least time. */
    static final String SHAPE = "flights";

    private static final PairCost.Pair PAIR =
            new PairCost.Pair("columns", "a vector", "10 typed columns", 1 / 0.7);

    private ColumnsCost() {}

    static PairCost measure(BenchContext context, Shape shape) throws Exception {
        return PairCost.measure(
                context,
                shape,
                PAIR,
                List.of(
                        flinkMoe(context, shape, "vector", ShapeEncoder.VECTOR),
                        flinkMoe(context, shape, "columns", ShapeEncoder.COLUMNS)));
    }

    private static FlinkContender flinkMoe(
            BenchContext context, Shape shape, String suffix, ShapeEncoder encoder)
            throws Exception {
        Shape encoded = shape.withEncoder(shape.name() + "-" + suffix, encoder);
        return (FlinkContender) context.contenders(encoded).of(Contenders.FLINK_MOE);
    }
}
