// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import io.flinkmoe.column.Column;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.ExpertSpec;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import java.nio.charset.StandardCharsets;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ReadableConfig;

/** The size of answers to users' own records, in JSON, which is longer than Avro. */
@Internal
public final class AnswerSize {

    /** The maximum bytes of a number with a comma, such as {@code -2.2250738585072014E-308,}. */
    private static final int NUMBER_BYTES = 25;

    /** The maximum bytes of a field besides its name and value: quotes, colon, comma, brackets. */
    private static final int FIELD_BYTES = 8;

    /** The maximum bytes of a choice besides the names of gate and expert. */
    private static final int CHOICE_BYTES = 128;

    private AnswerSize() {}

    /** The maximum bytes of an answer besides what it keeps of its record. */
    public static long withoutKept(ReadableConfig options, BundleSpec spec) {
        long bytes = 0;
        for (Column column : spec.outputLayout().columns()) {
            bytes += FIELD_BYTES + length(column.name()) + (long) column.count() * NUMBER_BYTES;
        }
        if (options.get(RecordOptions.CHOICES)) {
            for (LayerSpec layer : spec.layers()) {
                bytes += choices(layer);
            }
        }
        return bytes;
    }

    /** Each gate can choose other experts. */
    private static long choices(LayerSpec layer) {
        int expert = 0;
        for (ExpertSpec one : layer.experts()) {
            expert = Math.max(expert, length(one.name()));
        }
        long bytes = 0;
        for (GateSpec gate : layer.gates()) {
            bytes += (long) gate.k() * (CHOICE_BYTES + expert + length(gate.name()));
        }
        return bytes;
    }

    private static int length(String name) {
        return name == null ? 0 : name.getBytes(StandardCharsets.UTF_8).length;
    }
}
