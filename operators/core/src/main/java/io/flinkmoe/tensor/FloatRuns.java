// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.flink.annotation.Internal;

/**
 * Reads runs of neighbouring elements of one tensor as floats; those of 8 bits without the scale
 * that belongs to them. Not thread-safe.
 */
@Internal
public final class FloatRuns {
    private static final int CHUNK_BYTES = 1 << 16;

    private final ChannelReader file;
    private final TensorInfo tensor;
    private final FloatCheck check;
    private final int size;
    private final ByteBuffer chunk;

    /**
     * @throws SafetensorsException if the type of the tensor has no floats
     */
    FloatRuns(ChannelReader file, TensorInfo tensor, FloatCheck check) throws SafetensorsException {
        switch (tensor.dtype()) {
            case F64, F32, F16, BF16, F8_E4M3, F8_E5M2, F8_E8M0 -> {}
            default ->
                    throw new SafetensorsException(
                            file.path(),
                            tensor.name(),
                            "dtype is %s; expected one of F64, F32, F16, BF16 to read floats"
                                    .formatted(tensor.dtype()));
        }
        this.file = file;
        this.tensor = tensor;
        this.check = check;
        this.size = tensor.dtype().bytes();
        this.chunk = ByteBuffer.allocateDirect((int) Math.min(CHUNK_BYTES, tensor.byteSize()));
    }

    /**
     * Reads {@code count} elements, the first of which is element {@code first} of the tensor, to
     * {@code out} from index {@code at} on.
     *
     * @throws SafetensorsException if a float is not accepted by the check
     */
    public void read(long first, float[] out, int at, int count) throws IOException {
        int perChunk = chunk.capacity() / size;
        for (int done = 0, n; done < count; done += n) {
            n = Math.min(perChunk, count - done);
            chunk.clear().limit(n * size);
            file.readFully(tensor.position() + (first + done) * size, chunk);
            decode(out, at + done, n);
            int bad = check.firstBad(out, at + done, n);
            if (bad >= 0) {
                throw notAccepted(first + bad - at, out[bad]);
            }
        }
    }

    private void decode(float[] out, int at, int n) {
        switch (tensor.dtype()) {
            case F32 -> chunk.asFloatBuffer().get(out, at, n);
            case F64 -> {
                for (int i = 0; i < n; i++) {
                    out[at + i] = (float) chunk.getDouble(8 * i);
                }
            }
            case BF16 -> {
                for (int i = 0; i < n; i++) {
                    out[at + i] = Float.intBitsToFloat(chunk.getShort(2 * i) << 16);
                }
            }
            case F16 -> {
                for (int i = 0; i < n; i++) {
                    out[at + i] = Floats.fromHalf(chunk.getShort(2 * i));
                }
            }
            default -> {
                for (int i = 0; i < n; i++) {
                    out[at + i] = SmallFloats.decode(tensor.dtype(), chunk.get(i));
                }
            }
        }
    }

    private SafetensorsException notAccepted(long element, float value) {
        return new SafetensorsException(
                file.path(),
                tensor.name(),
                "value %s is %s; allowed: finite values"
                        .formatted(FloatCheck.indices(tensor.shape(), element), value));
    }
}
