// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import io.flinkmoe.tools.fuzz.FuzzProgress.Counter;
import io.flinkmoe.tools.fuzz.FuzzReport.Defect;
import io.flinkmoe.tools.machine.ChildJvm;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.LongConsumer;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;

/**
 * Tests a target in separate JVMs. If a JVM crashes, hangs or uses too much memory, its current
 * input is a defect, and the next JVM continues after that input.
 */
@Internal
public final class FuzzProcess {

    private static final String LOG = "fuzz.log";
    private static final Duration MAX_TIME = Duration.ofSeconds(20);
    private static final long MAX_MEMORY = 1L << 30;
    private static final int MAX_RESTARTS = 50;

    private final FuzzInputs inputs;
    private final Path dir;
    private final FuzzProgress progress;
    private final LongConsumer onProgress;
    private final Duration maxTime;
    private final List<Defect> jvmDefects = new ArrayList<>();
    private long peakMemory;

    private FuzzProcess(FuzzInputs inputs, Path dir, LongConsumer onProgress, Duration maxTime)
            throws IOException {
        this.inputs = inputs;
        this.dir = dir;
        this.progress = new FuzzProgress(dir.resolve(FuzzFiles.PROGRESS));
        this.onProgress = onProgress;
        this.maxTime = maxTime;
    }

    /**
     * Tests a target with inputs.
     *
     * @param dir an empty directory; the inputs that show defects remain there
     * @param onProgress receives the number of inputs read, from time to time
     */
    public static FuzzReport run(FuzzInputs inputs, Path dir, LongConsumer onProgress)
            throws IOException, InterruptedException {
        return run(inputs, dir, onProgress, MAX_TIME);
    }

    static FuzzReport run(FuzzInputs inputs, Path dir, LongConsumer onProgress, Duration maxTime)
            throws IOException, InterruptedException {
        long start = System.nanoTime();
        FuzzProcess run = new FuzzProcess(inputs, dir, onProgress, maxTime);
        long next = inputs.first();
        while (next < inputs.end() && run.jvmDefects.size() < MAX_RESTARTS) {
            next = run.runOne(next, next - inputs.first());
        }
        return run.report(Duration.ofNanos(System.nanoTime() - start));
    }

    /** Runs one process until its end. Returns the first input of the next process. */
    private long runOne(long from, long readBefore) throws IOException, InterruptedException {
        progress.set(Counter.CURRENT, from);
        progress.set(Counter.STARTED, 0);
        Process process = start(from);
        Thread killer = new Thread(process::destroyForcibly, "fuzz-killer");
        Runtime.getRuntime().addShutdownHook(killer);
        try {
            String end = watch(process, from, readBefore);
            if (progress.get(Counter.DONE) == 1) {
                return inputs.end();
            }
            if (progress.get(Counter.STARTED) == 0) {
                throw new IOException(
                        "the target %s cannot be opened (%s); the end of its log:%n%s"
                                .formatted(inputs.target().getSimpleName(), end, tail()));
            }
            long current = progress.get(Counter.CURRENT);
            jvmDefects.add(new Defect(current, end));
            Files.write(dir.resolve(FuzzFiles.inputFile(current)), input(current));
            return current + 1;
        } finally {
            process.destroyForcibly();
            Runtime.getRuntime().removeShutdownHook(killer);
        }
    }

    private Process start(long from) throws IOException {
        List<String> command = ChildJvm.command();
        command.addAll(
                List.of(
                        "-Xmx256m",
                        "-XX:MaxDirectMemorySize=64m",
                        "-XX:+UseSerialGC",
                        "-XX:-CreateCoredumpOnCrash",
                        "-XX:ErrorFile=" + dir.resolve("hs_err_" + from + ".log"),
                        "-Djava.io.tmpdir=" + dir,
                        "-cp",
                        System.getProperty("java.class.path"),
                        FuzzMain.class.getName(),
                        inputs.target().getName(),
                        String.valueOf(inputs.seed()),
                        String.valueOf(from),
                        String.valueOf(inputs.end()),
                        dir.toString()));
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().put("ORT_DISABLE_TELEMETRY", "1");
        return builder.redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(dir.resolve(LOG).toFile()))
                .start();
    }

    /** Waits for the end of a process, or kills it at a limit. Returns the reason of the end. */
    private String watch(Process process, long from, long readBefore) throws InterruptedException {
        long last = from;
        long since = System.nanoTime();
        while (!process.waitFor(50, TimeUnit.MILLISECONDS)) {
            long current = progress.get(Counter.CURRENT);
            onProgress.accept(readBefore + current - from);
            if (current != last || progress.get(Counter.STARTED) == 0) {
                last = current;
                since = System.nanoTime();
            } else if (System.nanoTime() - since > maxTime.toNanos()) {
                process.destroyForcibly().waitFor();
                return "takes more than %d s".formatted(maxTime.toSeconds());
            }
            long memory = residentMemory(process.pid());
            peakMemory = Math.max(peakMemory, memory);
            if (memory > MAX_MEMORY) {
                process.destroyForcibly().waitFor();
                return "uses more than %,d MiB of memory".formatted(MAX_MEMORY >> 20);
            }
        }
        return "the JVM ended with code %d%s".formatted(process.exitValue(), crashedIn(from));
    }

    /** The peak resident memory of a process, in bytes; 0 if it is unknown. */
    private static long residentMemory(long pid) {
        try (Stream<String> lines = Files.lines(Path.of("/proc", String.valueOf(pid), "status"))) {
            return lines.filter(line -> line.startsWith("VmHWM:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
                    .findFirst()
                    .orElse(0);
        } catch (IOException | RuntimeException e) {
            return 0; // The process has ended, or this is not Linux.
        }
    }

    /** The frame that the JVM's crash report names. */
    private String crashedIn(long from) {
        try {
            List<String> lines = Files.readAllLines(dir.resolve("hs_err_" + from + ".log"));
            int frame = lines.indexOf("# Problematic frame:");
            return frame < 0 ? "" : ", in " + lines.get(frame + 1).substring(1).strip();
        } catch (IOException e) {
            return "";
        }
    }

    private byte[] input(long number) throws IOException {
        try {
            FuzzTarget opened = FuzzTargets.make(inputs.target());
            List<byte[]> samples = opened.open(Files.createTempDirectory(dir, "samples-"));
            return new Mutator(inputs.seed(), samples, opened.isProtobuf()).input(number);
        } catch (Exception e) {
            throw new IOException("cannot create input %d again".formatted(number), e);
        }
    }

    private FuzzReport report(Duration time) throws IOException {
        List<Defect> defects = new ArrayList<>(jvmDefects);
        Path found = dir.resolve(FuzzFiles.DEFECTS);
        if (Files.exists(found)) {
            for (String line : Files.readAllLines(found, StandardCharsets.UTF_8)) {
                int space = line.indexOf(' ');
                if (space > 0) { // Otherwise its writer was killed, and that input is a defect
                    // already.
                    defects.add(
                            new Defect(
                                    Long.parseLong(line.substring(0, space)),
                                    line.substring(space + 1)));
                }
            }
        }
        return new FuzzReport(
                progress.get(Counter.ACCEPTED),
                progress.get(Counter.REJECTED),
                progress.get(Counter.MAX_ALLOCATED),
                peakMemory,
                time,
                List.copyOf(defects));
    }

    private String tail() throws IOException {
        List<String> lines = Files.readAllLines(dir.resolve(LOG), StandardCharsets.UTF_8);
        return String.join(
                System.lineSeparator(),
                lines.subList(Math.max(0, lines.size() - 20), lines.size()));
    }
}
