// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.check;

import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtException.OrtErrorCode;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.FileErrors;
import io.flinkmoe.model.GraphDigest;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.ModelUse;
import io.flinkmoe.model.ModelUse.Kind;
import io.flinkmoe.model.OpenedModels;
import io.flinkmoe.model.OpenedModels.Bits;
import io.flinkmoe.onnx.ModelTensors;
import io.flinkmoe.onnx.OnnxModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.flink.annotation.Internal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens the models of a bundle with ONNX Runtime before a job runs them, one at a time, and runs
 * them on probe rows. Only ONNX Runtime can say whether it knows an operator or a version. Files of
 * the same content are opened once. Of the files that flink-moe generated, one of each graph is
 * opened, because their weights cannot make a difference; their checksums are verified when the
 * bundle is read.
 */
@Internal
public final class ModelCheck {

    private static final Logger LOG = LoggerFactory.getLogger(ModelCheck.class);

    /** The limit of files that a start opens, because it may run in a JobManager. */
    private static final long START_BYTES = 128 << 20;

    /** What this process has opened. A program builds a job several times. */
    private static final Map<String, Bits> OPENED = new ConcurrentHashMap<>();

    private final Bundle bundle;
    private final boolean expertsOnGpu;

    /**
     * The result of {@link #openAll}.
     *
     * @param runtimeVersion the version of ONNX Runtime
     * @param opened the number of models that were opened
     * @param gpuOnly experts that ONNX Runtime cannot run on the CPU, with its reason
     * @param bits by file, whether the bits of a row depend on the rows in the same call; without
     *     the experts that run on a GPU only
     * @param probabilities the softmax routers whose outputs are probabilities already
     * @param recorded whether the bundle has a record of the opened models now
     */
    public record Result(
            String runtimeVersion,
            int opened,
            Map<String, String> gpuOnly,
            Map<String, Bits> bits,
            List<String> probabilities,
            boolean recorded) {

        /** The files for which the guarantee of the same bits does not hold. */
        public List<String> inexact() {
            return bits.keySet().stream().filter(file -> bits.get(file) != Bits.EXACT).toList();
        }
    }

    /** What opening a model has shown: the probe rows, or why it can run only on a GPU. */
    private record Opened(ModelProbe.Finding finding, String gpuOnly) {}

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
     * @return the files that run on the CPU and for which the guarantee of the same bits does not
     *     hold, or is not known
     * @throws BundleException if a model cannot be opened; the message has ONNX Runtime's words
     */
    public static Set<String> openUnrecorded(Bundle bundle, boolean expertsOnGpu)
            throws BundleException {
        return openUnrecorded(bundle, expertsOnGpu, START_BYTES);
    }

    static Set<String> openUnrecorded(Bundle bundle, boolean expertsOnGpu, long mostBytes)
            throws BundleException {
        if (!OnnxModel.mayRun()) {
            LOG.warn(
                    "The models of {} are not opened before the start, because ORT_DISABLE_TELEMETRY"
                            + " is not set in the environment of this process",
                    bundle.directory());
            return new ModelCheck(bundle, expertsOnGpu).foreignFiles();
        }
        try {
            return new ModelCheck(bundle, expertsOnGpu).openUnrecorded(mostBytes);
        } catch (LinkageError e) {
            LOG.warn(
                    "The models of {} are not opened before the start, because this process has no"
                            + " ONNX Runtime",
                    bundle.directory(),
                    e);
            return new ModelCheck(bundle, expertsOnGpu).foreignFiles();
        }
    }

    /** Makes this process forget what it has opened, for tests. */
    static void forgetOpened() {
        OPENED.clear();
    }

    private Result openAll() throws BundleException {
        Map<String, String> gpuOnly = new LinkedHashMap<>();
        Map<String, Bits> bits = new LinkedHashMap<>();
        Map<String, Bits> opened = new TreeMap<>();
        Set<String> probabilities = new LinkedHashSet<>();
        Set<String> seen = new HashSet<>();
        for (ModelUse use : ModelUse.of(bundle.spec())) {
            GraphDigest graph = graph(use);
            String model = graph.generated() ? graphKey(use, graph) : fileKey(use);
            if (seen.add(model)) {
                Opened found = open(use);
                if (found.gpuOnly != null) {
                    gpuOnly.put(use.file(), found.gpuOnly);
                } else {
                    opened.put(model, found.finding.bits());
                    if (use.kind() == Kind.SOFTMAX_ROUTER
                            && found.finding.isProbabilities(use.outputWidth())) {
                        probabilities.add(use.file());
                    }
                }
            }
            if (opened.containsKey(model)) {
                bits.put(use.file(), opened.get(model));
            }
        }
        for (ColumnUse use : ColumnUse.of(bundle.spec())) {
            Bits found = use.open(bundle);
            opened.put(use.key(bundle), found);
            bits.put(use.file(), found);
        }
        OPENED.putAll(opened);
        boolean recorded = record(new OpenedModels(version(), opened));
        return new Result(
                version(), opened.size(), gpuOnly, bits, List.copyOf(probabilities), recorded);
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

    private Set<String> openUnrecorded(long mostBytes) throws BundleException {
        Map<String, Bits> known = new HashMap<>(OPENED);
        known.putAll(OpenedModels.read(bundle, version()).models());
        Set<String> inexact = new LinkedHashSet<>();
        for (ColumnUse use : ColumnUse.of(bundle.spec())) {
            Bits bits = known.get(use.key(bundle));
            bits = bits == null ? use.open(bundle) : bits;
            OPENED.put(use.key(bundle), bits);
            if (bits != Bits.EXACT) {
                inexact.add(use.file());
            }
        }
        long bytesLeft = mostBytes;
        for (ModelUse use : ModelUse.of(bundle.spec())) {
            Bits bits = known.get(fileKey(use));
            if (bits == null) {
                GraphDigest graph = graph(use);
                String model = graphKey(use, graph);
                bits = known.get(model);
                if (bits == null && size(use) <= bytesLeft) {
                    bytesLeft -= size(use);
                    Opened found = open(use);
                    bits = found.gpuOnly != null ? Bits.UNCHECKED : found.finding.bits();
                    known.put(model, bits);
                    if (found.gpuOnly == null) {
                        OPENED.put(model, bits);
                    }
                } else if (bits == null) {
                    LOG.warn(
                            "{} is not opened before the start, because it is large and the bundle has no"
                                    + " record that ONNX Runtime {} opens it; `moe inspect` makes one",
                            bundle.file(use.file()),
                            version());
                    bits = graph.generated() ? Bits.EXACT : Bits.UNCHECKED;
                    known.put(model, bits);
                }
            }
            boolean isOnGpu = expertsOnGpu && use.kind() == Kind.EXPERT;
            if (bits != Bits.EXACT && !isOnGpu) {
                inexact.add(use.file());
            }
        }
        return inexact;
    }

    /** The files that flink-moe has not generated. Of these it knows that they keep the bits. */
    private Set<String> foreignFiles() throws BundleException {
        Set<String> files = new LinkedHashSet<>();
        for (ModelUse use : ModelUse.of(bundle.spec())) {
            if (!graph(use).generated()) {
                files.add(use.file());
            }
        }
        ColumnUse.of(bundle.spec()).forEach(use -> files.add(use.file()));
        return files;
    }

    /** Opens, runs and closes a model on the CPU. */
    private Opened open(ModelUse use) throws BundleException {
        Path file = bundle.file(use.file());
        try (OnnxModel model = OnnxModel.open(file, ModelTensors.of(use))) {
            return new Opened(ModelProbe.run(model), null);
        } catch (BundleException e) {
            if (expertsOnGpu
                    && use.kind() == Kind.EXPERT
                    && e.getCause() instanceof OrtException cause
                    && cause.getCode() == OrtErrorCode.ORT_NOT_IMPLEMENTED) {
                return new Opened(null, cause.getMessage());
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
