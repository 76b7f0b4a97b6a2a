// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession;
import io.flinkmoe.model.BundleException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.annotation.Internal;

/**
 * An open ONNX file, of which one input {@code [batch, inputWidth]} and one output {@code [batch,
 * outputWidth]} are used. Several threads may run it at once.
 *
 * <p>A session has one intra-op thread and does not spin: parallelism comes from Flink's subtasks,
 * and spinning thread pools would take the cores from each other. Prepacking stays on, because it
 * gives each row the same bits at every batch size.
 */
@Internal
public final class OnnxModel implements ExpertModel, AutoCloseable {

    /** One environment per process. It logs fatal errors only, since failures are thrown. */
    private static final class Runtime {
        static final OrtEnvironment ENVIRONMENT =
                OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL, "flink-moe");
    }

    private static final Pattern TOO_NEW =
            Pattern.compile(
                    "Opset (\\d+) is under development.*support for domain (\\S+) is till opset (\\d+)",
                    Pattern.DOTALL);

    private final Path file;
    private final OrtSession session;
    private final ModelPort input;
    private final ModelPort output;
    private final int rowsPerCall;

    private OnnxModel(Path file, OrtSession session, ModelTensors tensors)
            throws BundleException, OrtException {
        this.file = file;
        this.session = session;
        this.rowsPerCall = tensors.rowByRow() ? 1 : Integer.MAX_VALUE;
        this.input =
                ModelPort.of(
                        file,
                        "input",
                        session.getInputInfo(),
                        tensors.input(),
                        tensors.inputWidth());
        this.output =
                ModelPort.of(
                        file,
                        "output",
                        session.getOutputInfo(),
                        tensors.output(),
                        tensors.outputWidth());
        if (session.getInputInfo().size() > 1) {
            throw new BundleException(
                    file,
                    "expected one input, found %d: %s"
                            .formatted(
                                    session.getInputInfo().size(),
                                    session.getInputInfo().keySet()));
        }
    }

    public static OrtEnvironment environment() {
        return Runtime.ENVIRONMENT;
    }

    /**
     * ONNX Runtime reports its usage unless ORT_DISABLE_TELEMETRY is set before its first use. It
     * was seen to crash the JVM if it cannot report. A JVM cannot set its own environment.
     */
    private static void requireTelemetryChoice() {
        if (!mayRun()) {
            throw new IllegalStateException(
                    "ORT_DISABLE_TELEMETRY is not set. Set it to 1 in the environment of every JVM that"
                            + " runs models (task managers, tests, launchers) before the JVM starts:"
                            + " otherwise ONNX Runtime reports its usage to its vendor. Set it to 0 to"
                            + " allow the reports.");
        }
    }

    /** Whether this JVM may use ONNX Runtime: {@code ORT_DISABLE_TELEMETRY} is set. */
    public static boolean mayRun() {
        return System.getenv("ORT_DISABLE_TELEMETRY") != null;
    }

    /**
     * Opens a file with one input and one output, and checks them.
     *
     * @param inputWidth the expected width of the input
     * @param outputWidth the expected width of the output
     * @throws BundleException if the file cannot be opened or has other inputs or outputs; the
     *     message names the file, the tensor, what was expected and what was found
     */
    public static OnnxModel open(Path file, int inputWidth, int outputWidth)
            throws BundleException {
        return open(file, ModelTensors.of(inputWidth, outputWidth));
    }

    /** Opens a file, of which these tensors are used. */
    public static OnnxModel open(Path file, ModelTensors tensors) throws BundleException {
        return open(file, tensors, 1, Device.CPU);
    }

    /**
     * Opens a file on a device or with several threads.
     *
     * @param threads the number of threads that share one run on the CPU
     * @param device runs the model; input and output stay in the memory of this process
     */
    public static OnnxModel open(Path file, ModelTensors tensors, int threads, Device device)
            throws BundleException {
        OrtSession session = session(file, threads, device);
        try {
            return new OnnxModel(file, session, tensors);
        } catch (OrtException | BundleException e) {
            closeQuietly(session, e);
            throw e instanceof BundleException known
                    ? known
                    : new BundleException(file, e.getMessage().strip(), e);
        } catch (RuntimeException e) {
            closeQuietly(session, e);
            throw e;
        }
    }

    /** Opens a session, whatever inputs and outputs the file has. */
    public static OrtSession session(Path file, int threads, Device device) throws BundleException {
        requireTelemetryChoice();
        try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
            options.setIntraOpNumThreads(threads);
            options.setInterOpNumThreads(1);
            options.addConfigEntry("session.intra_op.allow_spinning", "0");
            // Without this, a file whose name ends in .ort is read as another format.
            options.addConfigEntry("session.load_model_format", "ONNX");
            device.addTo(options, file);
            return open(file, options);
        } catch (OrtException | IOException e) {
            if (e instanceof BundleException known) {
                throw known;
            }
            throw new BundleException(
                    file, "ONNX Runtime cannot open it: " + reason(e.getMessage().strip()), e);
        }
    }

    /** ONNX Runtime's words, or fewer if it says that the model is too new. */
    private static String reason(String message) {
        Matcher tooNew = TOO_NEW.matcher(message);
        return tooNew.find()
                ? "its opset is %s, and ONNX Runtime %s takes up to %s (%s); export it with opset_version=%s, or with a lower one"
                        .formatted(
                                tooNew.group(1),
                                environment().getVersion(),
                                tooNew.group(3),
                                tooNew.group(2),
                                tooNew.group(3))
                : message;
    }

    /**
     * ONNX Runtime's Java API passes a path in Java's modified UTF-8, which differs from UTF-8 in
     * characters of four bytes, such as emoji. The content of such a file is passed instead, from a
     * mapping.
     */
    private static OrtSession open(Path file, OrtSession.SessionOptions options)
            throws OrtException, IOException {
        String path = file.toString();
        if (path.chars().noneMatch(c -> Character.isSurrogate((char) c))) {
            return environment().createSession(path, options);
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            ByteBuffer content = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
            return environment().createSession(content, options);
        }
    }

    @Override
    public Path file() {
        return file;
    }

    @Override
    public int inputWidth() {
        return input.width();
    }

    @Override
    public int outputWidth() {
        return output.width();
    }

    /**
     * Runs the model on the first {@code rows} rows of {@code from}; fills those of {@code into}.
     */
    @Override
    public void run(DirectRows from, DirectRows into, int rows) throws OrtException {
        if (rows <= rowsPerCall) {
            run(from, into, 0, rows);
            return;
        }
        for (int row = 0; row < rows; row += rowsPerCall) {
            run(from, into, row, rowsPerCall);
        }
    }

    private void run(DirectRows from, DirectRows into, int row, int count) throws OrtException {
        try (OnnxTensor in = input.input(environment(), from, row, count);
                OnnxTensor out = output.output(environment(), into, row, count);
                OrtSession.Result result =
                        session.run(Map.of(input.name(), in), Map.of(output.name(), out))) {
            assert result.size() == 1;
            output.store(out, into, row, count);
        }
    }

    /** Runs the model, and returns the shape of the output, whatever the model declares. */
    public long[] outputShape(DirectRows from, int rows) throws OrtException {
        try (OnnxTensor in = input.input(environment(), from, 0, rows);
                OrtSession.Result result =
                        session.run(Map.of(input.name(), in), Set.of(output.name()))) {
            return ((OnnxTensor) result.get(0)).getInfo().getShape();
        }
    }

    /** The name of the output. */
    public String outputName() {
        return output.name();
    }

    @Override
    public void close() {
        try {
            session.close();
        } catch (OrtException e) {
            throw new IllegalStateException(file + ": ONNX Runtime cannot close its session", e);
        }
    }

    private static void closeQuietly(OrtSession session, Exception cause) {
        try {
            if (session != null) {
                session.close();
            }
        } catch (OrtException e) {
            cause.addSuppressed(e);
        }
    }
}
