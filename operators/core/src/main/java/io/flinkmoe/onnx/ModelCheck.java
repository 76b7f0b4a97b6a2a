// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtException.OrtErrorCode;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.FileErrors;
import io.flinkmoe.model.GraphDigest;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.ModelUse;
import io.flinkmoe.model.OpenedModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.flink.annotation.Internal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens the models of a bundle with ONNX Runtime before a job runs them, one at a time. Only ONNX
 * Runtime can say whether it knows an operator or a version. Files of the same content are opened
 * once. Of the files that flink-moe generated, one of each graph is opened, because their weights
 * cannot make a difference; their checksums are verified when the bundle is read.
 */
@Internal
public final class ModelCheck {

    private static final Logger LOG = LoggerFactory.getLogger(ModelCheck.class);

    /** The limit of files that a start opens, because it may run in a JobManager. */
    private static final long START_BYTES = 128 << 20;

    /** What this process has opened. A program builds a job several times. */
    private static final Set<String> OPENED = ConcurrentHashMap.newKeySet();

    private final Bundle bundle;
    private final boolean expertsOnGpu;

    /**
     * The result of {@link #openAll}.
     *
     * @param runtimeVersion the version of ONNX Runtime
     * @param opened the number of models that were opened
     * @param gpuOnly experts that ONNX Runtime cannot run on the CPU, with its reason
     * @param recorded whether the bundle has a record of the opened models now
     */
    public record Result(
            String runtimeVersion, int opened, Map<String, String> gpuOnly, boolean recorded) {}

    private ModelCheck(Bundle bundle, boolean expertsOnGpu) {
        this.bundle = bundle;
        this.expertsOnGpu = expertsOnGpu;
    }

    /**
     * Opens every distinct model, and records them in the bundle if its folder can be written.
     *
     * @param expertsOnGpu whether experts are accepted that ONNX Runtime can run only on a GPU
     * @throws BundleException if a model cannot be opened; the message has ONNX Runtime's words
     */
    public static Result openAll(Bundle bundle, boolean expertsOnGpu) throws BundleException {
        return new ModelCheck(bundle, expertsOnGpu).openAll();
    }

    /**
     * Opens, at the start of a job, one model of each graph that the record of the bundle does not
     * cover, as long as their files have at most 128 MiB together. Does nothing where ONNX Runtime
     * cannot be used; the task managers report what they cannot open.
     *
     * @param expertsOnGpu whether the experts run on a GPU
     * @throws BundleException if a model cannot be opened; the message has ONNX Runtime's words
     */
    public static void openUnrecorded(Bundle bundle, boolean expertsOnGpu) throws BundleException {
        openUnrecorded(bundle, expertsOnGpu, START_BYTES);
    }

    static void openUnrecorded(Bundle bundle, boolean expertsOnGpu, long mostBytes)
            throws BundleException {
        if (!OnnxModel.mayRun()) {
            LOG.warn(
                    "The models of {} are not opened before the start, because ORT_DISABLE_TELEMETRY"
                            + " is not set in the environment of this process",
                    bundle.directory());
            return;
        }
        try {
            new ModelCheck(bundle, expertsOnGpu).openUnrecorded(mostBytes);
        } catch (LinkageError e) {
            LOG.warn(
                    "The models of {} are not opened before the start, because this process has no"
                            + " ONNX Runtime",
                    bundle.directory(),
                    e);
        }
    }

    /** Makes this process forget what it has opened, for tests. */
    static void forgetOpened() {
        OPENED.clear();
    }

    private Result openAll() throws BundleException {
        Map<String, String> gpuOnly = new LinkedHashMap<>();
        Set<String> opened = new TreeSet<>();
        Set<String> seen = new HashSet<>();
        for (ModelUse use : ModelUse.of(bundle.spec())) {
            GraphDigest graph = graph(use);
            String model = graph.generated() ? graphKey(use, graph) : fileKey(use);
            if (seen.add(model)) {
                String refusal = open(use);
                if (refusal == null) {
                    opened.add(model);
                } else {
                    gpuOnly.put(use.file(), refusal);
                }
            }
        }
        openColumns();
        OPENED.addAll(opened);
        OpenedModels record = new OpenedModels(version(), opened);
        return new Result(version(), opened.size(), gpuOnly, record(record));
    }

    private boolean record(OpenedModels record) {
        try {
            record.writeTo(bundle);
            return true;
        } catch (IOException e) {
            LOG.info("{} is not recorded as opened: {}", bundle.directory(), e.toString());
            return false;
        }
    }

    private void openUnrecorded(long mostBytes) throws BundleException {
        Set<String> known = new HashSet<>(OpenedModels.read(bundle, version()).digests());
        known.addAll(OPENED);
        openColumns();
        long bytesLeft = mostBytes;
        for (ModelUse use : ModelUse.of(bundle.spec())) {
            if (known.contains(fileKey(use))) {
                continue;
            }
            String model = graphKey(use, graph(use));
            if (!known.add(model)) {
                continue;
            }
            long bytes = size(use);
            if (bytes > bytesLeft) {
                LOG.warn(
                        "{} is not opened before the start, because it is large and the bundle has no"
                                + " record that ONNX Runtime {} opens it; `moe inspect` makes one",
                        bundle.file(use.file()),
                        version());
                continue;
            }
            bytesLeft -= bytes;
            if (open(use) == null) {
                OPENED.add(model);
            }
        }
    }

    /** Opens and closes an encoder and a head with typed columns. */
    private void openColumns() throws BundleException {
        BundleSpec spec = bundle.spec();
        if (spec.encoder() != null && !spec.inputLayout().numbersAreVector()) {
            ColumnModel.open(
                            bundle.file(spec.encoder().file()),
                            ColumnModel.inputsOf(spec),
                            List.of())
                    .close();
        }
        if (spec.head() != null && !spec.answersWithVector()) {
            ColumnModel.open(
                            bundle.file(spec.head().file()), List.of(), ColumnModel.outputsOf(spec))
                    .close();
        }
    }

    /**
     * Opens and closes a model on the CPU.
     *
     * @return null, or the reason why it can run only on a GPU
     */
    private String open(ModelUse use) throws BundleException {
        Path file = bundle.file(use.file());
        try {
            try (OnnxModel model = OnnxModel.open(file, ModelTensors.of(use))) {
                ShapeProbe.check(model);
            }
            return null;
        } catch (BundleException e) {
            if (expertsOnGpu
                    && use.expert()
                    && e.getCause() instanceof OrtException cause
                    && cause.getCode() == OrtErrorCode.ORT_NOT_IMPLEMENTED) {
                return cause.getMessage();
            }
            throw e;
        }
    }

    private GraphDigest graph(ModelUse use) throws BundleException {
        Path file = bundle.file(use.file());
        try {
            return GraphDigest.of(file);
        } catch (BundleException e) {
            throw e;
        } catch (IOException e) {
            throw new BundleException(file, "cannot be read: " + FileErrors.describe(e), e);
        }
    }

    private long size(ModelUse use) throws BundleException {
        Path file = bundle.file(use.file());
        try {
            return Files.size(file);
        } catch (IOException e) {
            throw new BundleException(file, "its size cannot be read: " + FileErrors.reason(e), e);
        }
    }

    private String fileKey(ModelUse use) {
        return "file:" + bundle.spec().checksums().get(use.file()) + widths(use);
    }

    private static String graphKey(ModelUse use, GraphDigest graph) {
        return "graph:" + graph.digest() + widths(use);
    }

    /** A model fits only its widths and tensors. */
    private static String widths(ModelUse use) {
        ModelFile model = use.model();
        return ":%d:%d%s"
                .formatted(
                        use.inputWidth(),
                        use.outputWidth(),
                        model.isPlain() ? "" : ":%s:%s".formatted(model.input(), model.output()));
    }

    private static String version() {
        return OnnxModel.environment().getVersion();
    }
}
