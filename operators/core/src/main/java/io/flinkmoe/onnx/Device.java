package io.flinkmoe.onnx;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtProvider;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.providers.OrtCUDAProviderOptions;
import io.flinkmoe.model.BundleException;
import java.nio.file.Path;

/**
 * Where a model runs: on the CPU, or on one of the machine's NVIDIA GPUs by way of CUDA.
 *
 * @param gpu the GPU's index as CUDA counts, or -1: the CPU
 * @param memoryBytes the most GPU memory that one session takes; 0: no limit
 */
public record Device(int gpu, long memoryBytes) {

    public static final Device CPU = new Device(-1, 0);

    /** A GPU, by its index from 0 on. */
    public static Device cuda(int gpu, long memoryBytes) {
        if (gpu < 0) {
            throw new IllegalArgumentException("the GPU is %d; allowed: 0 or more".formatted(gpu));
        }
        return new Device(gpu, memoryBytes);
    }

    public boolean isCpu() {
        return gpu < 0;
    }

    /** Has a session of {@code file} run on this device. */
    void addTo(OrtSession.SessionOptions options, Path file) throws BundleException {
        if (isCpu()) {
            return;
        }
        if (!OrtEnvironment.getAvailableProviders().contains(OrtProvider.CUDA)) {
            throw new BundleException(
                    file,
                    "is to run on %s, but the ONNX Runtime on the class path is the one without CUDA. Put onnxruntime_gpu of the same version in the place of onnxruntime: into Flink's lib/, or where this is built, with mvn -Pgpu"
                            .formatted(this));
        }
        try (OrtCUDAProviderOptions cuda = new OrtCUDAProviderOptions(gpu)) {
            // Float32 is to mean float32: TF32 keeps 10 bits of 23.
            cuda.add("use_tf32", "0");
            // The weights of a session come first, and never grow.
            cuda.add("arena_extend_strategy", "kSameAsRequested");
            if (memoryBytes > 0) {
                cuda.add("gpu_mem_limit", Long.toString(memoryBytes));
            }
            options.addCUDA(cuda);
        } catch (OrtException e) {
            throw new BundleException(
                    file,
                    "is to run on %s, but CUDA cannot be used: %s. It needs NVIDIA's driver and the libraries of CUDA 12.9 (cudart, cublas, cublasLt, curand) where the system looks for libraries, LD_LIBRARY_PATH for one"
                            .formatted(this, e.getMessage()),
                    e);
        }
    }

    @Override
    public String toString() {
        return isCpu() ? "the CPU" : "GPU " + gpu;
    }
}
