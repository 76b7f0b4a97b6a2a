// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtProvider;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.providers.OrtCUDAProviderOptions;
import io.flinkmoe.model.BundleException;
import java.nio.file.Path;
import org.apache.flink.annotation.Internal;

/**
 * Where a model runs: on the CPU, or on one of the machine's NVIDIA GPUs with CUDA.
 *
 * @param gpu the CUDA index of the GPU; -1 means the CPU
 * @param memoryBytes the limit of GPU memory per session; 0 means no limit
 */
@Internal
public record Device(int gpu, long memoryBytes) {

    public static final Device CPU = new Device(-1, 0);

    /**
     * A GPU.
     *
     * @param gpu its CUDA index, 0 or more
     */
    public static Device cuda(int gpu, long memoryBytes) {
        if (gpu < 0) {
            throw new IllegalArgumentException(
                    "the index of the GPU is %d; allowed: 0 or more".formatted(gpu));
        }
        return new Device(gpu, memoryBytes);
    }

    public boolean isCpu() {
        return gpu < 0;
    }

    /** Makes the session of {@code file} run on this device. */
    void addTo(OrtSession.SessionOptions options, Path file) throws BundleException {
        if (isCpu()) {
            return;
        }
        if (!OrtEnvironment.getAvailableProviders().contains(OrtProvider.CUDA)) {
            throw new BundleException(
                    file,
                    "the model must run on %s, but the ONNX Runtime on the class path has no CUDA. Replace onnxruntime by onnxruntime_gpu of the same version: in Flink's lib/, or in the build with mvn -Pgpu"
                            .formatted(this));
        }
        try (OrtCUDAProviderOptions cuda = new OrtCUDAProviderOptions(gpu)) {
            // Float32 must mean float32: TF32 keeps 10 of the 23 bits of the fraction.
            cuda.add("use_tf32", "0");
            // The weights are allocated first and never grow.
            cuda.add("arena_extend_strategy", "kSameAsRequested");
            if (memoryBytes > 0) {
                cuda.add("gpu_mem_limit", Long.toString(memoryBytes));
            }
            options.addCUDA(cuda);
        } catch (OrtException e) {
            throw new BundleException(
                    file,
                    "the model must run on %s, but CUDA cannot be used: %s. Install NVIDIA's driver and the libraries of CUDA 12.9 (cudart, cublas, cublasLt, curand) where the system finds them, for example by LD_LIBRARY_PATH"
                            .formatted(this, e.getMessage()),
                    e);
        }
    }

    @Override
    public String toString() {
        return isCpu() ? "the CPU" : "GPU " + gpu;
    }
}
