// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.packed.PackedMatrix;
import io.flinkmoe.model.packed.PackedMatrix.Stored;
import io.flinkmoe.model.packed.RowReader;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;

/**
 * Finds the weights of a checkpoint in every form in which they are stored. The tensors beside a
 * weight tell the form, not config.json: FP8 has {@code _scale_inv} or {@code _scale} beside it,
 * {@code weight_packed} has int4 or int8 groups or NVFP4, {@code _blocks} has MXFP4.
 */
@Internal
final class Weights {

    /** What is beside packed weights and does not change them. */
    private static final List<String> OF_ACTIVATIONS =
            List.of(".input_scale", "_input_scale", ".input_global_scale", ".weight_shape");

    private final Checkpoint checkpoint;

    Weights(Checkpoint checkpoint) {
        this.checkpoint = checkpoint;
    }

    /**
     * A weight, which must be there.
     *
     * @param base its name without {@code .weight}
     */
    StoredWeight get(String base) throws IOException {
        return get(base, ".weight");
    }

    /**
     * The same.
     *
     * @param suffix what the message about a missing tensor adds to its name
     */
    StoredWeight get(String base, String suffix) throws IOException {
        StoredWeight found = find(base);
        if (found == null) {
            throw checkpoint.missing(base + suffix);
        }
        return found;
    }

    /** Whether there is a weight. */
    boolean has(String base) {
        return checkpoint.contains(base + ".weight")
                || checkpoint.contains(base + ".weight_packed")
                || checkpoint.contains(base)
                || checkpoint.contains(base + "_blocks");
    }

    /** A weight; null if it is not there. */
    StoredWeight find(String base) throws IOException {
        for (String name : List.of(base + ".weight", base)) {
            if (checkpoint.contains(name)) {
                return withScales(base, name);
            }
        }
        if (checkpoint.contains(base + ".weight_packed")) {
            return packed(base);
        }
        return checkpoint.contains(base + "_blocks") ? mxfp4(base) : null;
    }

    private StoredWeight withScales(String base, String name) throws IOException {
        String type = checkpoint.file(name).typeName(stored(name).tensor());
        String scale =
                first(
                        name + "_scale_inv",
                        name + "_scale",
                        base + ".weight_scale_inv",
                        base + ".weight_scale");
        if (type.equals("F8_E4M3") || type.equals("F8_E5M2")) {
            if (scale == null) {
                throw new CheckpointException(
                        checkpoint.pathOf(name),
                        "tensor %s is %s, but there is no scale beside it: neither %s_scale_inv nor %s_scale; download the checkpoint again"
                                .formatted(name, type, name, name));
            }
            useParts(base);
            int[] size = size(stored(name).file().shape(stored(name).tensor()));
            return packed(
                    name,
                    stored(name).file().shape(stored(name).tensor()),
                    () ->
                            PackedMatrix.fp8(
                                    stored(name),
                                    stored(scale),
                                    size,
                                    checkpoint.config().blockSize()));
        }
        if (type.equals("U8") && scale != null && checkpoint.contains(name + "_scale_2")) {
            return nvfp4(base, name, scale, name + "_scale_2", false);
        }
        SafetensorsFile file = checkpoint.plainFile(name);
        long[] shape = file.shape(checkpoint.names().stored(name));
        return new StoredWeight(name, shape, null, stored(name));
    }

    private StoredWeight packed(String base) throws IOException {
        String name = base + ".weight_packed";
        String scale = base + ".weight_scale";
        for (String unknown : List.of(".weight_zero_point", ".weight_g_idx")) {
            if (checkpoint.contains(base + unknown)) {
                throw new CheckpointException(
                        checkpoint.pathOf(base + unknown),
                        "there is a tensor %s%s; only symmetric groups in order can be imported: get the checkpoint that is published in bfloat16"
                                .formatted(base, unknown));
            }
        }
        requirePart(name, scale);
        if (checkpoint.file(name).typeName(stored(name).tensor()).equals("U8")) {
            requirePart(name, base + ".weight_global_scale");
            return nvfp4(base, name, scale, base + ".weight_global_scale", true);
        }
        requirePart(name, base + ".weight_shape");
        useParts(base);
        Stored shapeOf = stored(base + ".weight_shape");
        int[] shape = shapeOf.file().ints(shapeOf.tensor());
        int rows = shape[shape.length - 2];
        int columns = shape[shape.length - 1];
        return packed(
                name,
                Arrays.stream(shape).asLongStream().toArray(),
                () -> PackedMatrix.groups(stored(name), stored(scale), rows, columns));
    }

    private StoredWeight nvfp4(
            String base, String name, String scale, String global, boolean divides)
            throws IOException {
        useParts(base);
        long[] shape = stored(name).file().shape(stored(name).tensor());
        shape[shape.length - 1] *= 2;
        int[] size = size(shape);
        checkpoint.use(global);
        return packed(
                name,
                shape,
                () ->
                        PackedMatrix.nvfp4(
                                stored(name),
                                stored(scale),
                                stored(global),
                                new int[] {size[1], size[2]},
                                divides));
    }

    private StoredWeight mxfp4(String base) throws IOException {
        String blocks = base + "_blocks";
        String scales = base + "_scales";
        requirePart(blocks, scales);
        long[] stored = stored(blocks).file().shape(stored(blocks).tensor());
        long[] shapeOfScales = stored(scales).file().shape(stored(scales).tensor());
        if (stored.length != 4
                || stored[3] != 16
                || !Arrays.equals(Arrays.copyOf(stored, 3), shapeOfScales)) {
            throw checkpoint.wrongShape(
                    blocks, "[N, rows, groups, 16], and [N, rows, groups] of " + scales + ",");
        }
        long[] shape = {stored[0], stored[1], 32 * stored[2]};
        int columns = Math.toIntExact(shape[2]);
        return packed(
                blocks, shape, () -> PackedMatrix.mxfp4(stored(blocks), stored(scales), columns));
    }

    /** Checks that the parts fit together before anything is written. */
    private StoredWeight packed(String name, long[] shape, RowReader.Source source)
            throws IOException {
        if (shape.length < 2 || Arrays.stream(shape).anyMatch(size -> size < 1)) {
            throw checkpoint.wrongShape(name, "a matrix");
        }
        RowReader.Source checked =
                () -> {
                    try {
                        return source.open();
                    } catch (CheckpointException e) {
                        throw e;
                    } catch (IOException e) {
                        throw new CheckpointException(checkpoint.pathOf(name), e.getMessage(), e);
                    }
                };
        checked.open();
        return new StoredWeight(name, shape, checked, null);
    }

    /** N, rows and columns. */
    private static int[] size(long[] shape) {
        int matrices = shape.length == 3 ? Math.toIntExact(shape[0]) : 1;
        int rows = shape.length < 2 ? 1 : Math.toIntExact(shape[shape.length - 2]);
        return new int[] {
            matrices, rows, shape.length == 0 ? 1 : Math.toIntExact(shape[shape.length - 1])
        };
    }

    private void requirePart(String name, String part) throws CheckpointException {
        if (!checkpoint.contains(part)) {
            throw new CheckpointException(
                    checkpoint.pathOf(name),
                    "tensor %s is packed, but there is no %s; download the checkpoint again"
                            .formatted(name, part));
        }
        checkpoint.use(part);
    }

    private String first(String... names) {
        String found = Stream.of(names).filter(checkpoint::contains).findFirst().orElse(null);
        if (found != null) {
            checkpoint.use(found);
        }
        return found;
    }

    private void useParts(String base) {
        OF_ACTIVATIONS.forEach(part -> checkpoint.use(base + part));
    }

    private Stored stored(String name) throws IOException {
        return new Stored(checkpoint.file(name), checkpoint.names().stored(name));
    }

    /** The full names of what a family's declaration names relative to a layer. */
    record OfLayer(Weights weights, LayerStacks.MoeLayer layer) {

        String full(String name) {
            return layer.name() + "." + name;
        }

        /** The name of a weight that is there, or the published one. */
        String existing(Names names) {
            for (String name : names.all()) {
                if (weights.has(full(name))) {
                    return full(name);
                }
            }
            return full(names.first());
        }
    }
}
