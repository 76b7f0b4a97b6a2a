package io.flinkmoe.tensor;

import java.util.List;

/**
 * What a safetensors file says of one tensor. Its data are row-major and little endian.
 *
 * @param shape the dimensions; empty for a scalar
 * @param position where the data begin, in bytes from the start of the file
 * @param byteSize the product of the shape times the size of an element
 */
public record TensorInfo(String name, DType dtype, List<Long> shape, long position, long byteSize) {

    public TensorInfo {
        shape = List.copyOf(shape);
    }

    /** The number of elements. */
    public long elements() {
        return byteSize / dtype.bytes();
    }
}
