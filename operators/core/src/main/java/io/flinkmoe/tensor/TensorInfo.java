// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import java.util.List;
import org.apache.flink.annotation.PublicEvolving;

/**
 * One tensor of a safetensors file. Its data is row-major and little endian.
 *
 * @param name the name of the tensor
 * @param dtype the type of its elements
 * @param shape the dimensions; empty for a scalar
 * @param position the position of the data in the file, in bytes
 * @param byteSize the product of the shape times the size of an element
 */
@PublicEvolving
public record TensorInfo(String name, DType dtype, List<Long> shape, long position, long byteSize) {

    public TensorInfo {
        shape = List.copyOf(shape);
    }

    /** The number of elements. */
    public long elements() {
        return byteSize / dtype.bytes();
    }
}
