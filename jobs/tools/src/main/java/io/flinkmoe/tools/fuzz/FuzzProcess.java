package io.flinkmoe.tools.fuzz;

import io.flinkmoe.tools.fuzz.FuzzProgress.Counter;
import io.flinkmoe.tools.fuzz.FuzzReport.Defect;
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
 * Feeds a target in JVMs of its own: one that crashes, hangs or grows is a defect of the input that
 * it was at, and the next goes on behind that.
 */
@Internal
public final class FuzzProcess {

    static final String PROGRESS = "progress";
    static final String DEFECTS = "defects.txt";

    private static final String LOG = "fuzz.log";
    private static final Duration MOST_TIME = Duration.ofSeconds(20);
    private static final long MOST_MEMORY = 1L << 30;
    private static final int MOST_DEATHS = 50;

    private final FuzzInputs inputs;
    private final Path dir;
    private final FuzzProgress progress;
    private final LongConsumer onProgress;
    private final Duration mostTime;
    private final List<Defect> deaths = new ArrayList<>();
    private long peakMemory;

    private FuzzProcess(FuzzInputs inputs, Path dir, LongConsumer onProgress, Duration mostTime)
            throws IOException {
        this.inputs = inputs;
        this.dir = dir;
        this.progress = new FuzzProgress(dir.resolve(PROGRESS));
        this.onProgress = onProgress;
        this.mostTime = mostTime;
    }

    /**
     * Feeds a target with inputs.
     *
     * @param dir an empty directory; the inputs that show defects stay there
     * @param onProgress told from time to time how many inputs have been read
     */
    public static FuzzReport run(FuzzInputs inputs, Path dir, LongConsumer onProgress)
            throws IOException, InterruptedException {
        return run(inputs, dir, onProgress, MOST_TIME);
    }

    static FuzzReport run(FuzzInputs inputs, Path dir, LongConsumer onProgress, Duration mostTime)
            throws IOException, InterruptedException {
        long start = System.nanoTime();
        FuzzProcess run = new FuzzProcess(inputs, dir, onProgress, mostTime);
        long next = inputs.first();
        while (next < inputs.end() && run.deaths.size() < MOST_DEATHS) {
            next = run.feed(next, next - inputs.first());
        }
        return run.report(Duration.ofNanos(System.nanoTime() - start));
    }

    /** The file in the directory that has an input which shows a defect. */
    public static String inputFile(long number) {
        return "input-" + number;
    }

    /** Feeds one process until its end, and says with which input the next should begin. */
    private long feed(long from, long readBefore) throws IOException, InterruptedException {
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
                        "the target %s does not open (%s); the end of its log:%n%s"
                                .formatted(inputs.target().getSimpleName(), end, tail()));
            }
            long current = progress.get(Counter.CURRENT);
            deaths.add(new Defect(current, end));
            Files.write(dir.resolve(inputFile(current)), input(current));
            return current + 1;
        } finally {
            process.destroyForcibly();
            Runtime.getRuntime().removeShutdownHook(killer);
        }
    }

    private Process start(long from) throws IOException {
        ProcessBuilder builder =
                new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
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
                        dir.toString());
        builder.environment().put("ORT_DISABLE_TELEMETRY", "1");
        return builder.redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(dir.resolve(LOG).toFile()))
                .start();
    }

    /** Waits for the end of a process, or brings it about, and says how it came. */
    private String watch(Process process, long from, long readBefore) throws InterruptedException {
        long last = from;
        long since = System.nanoTime();
        while (!process.waitFor(50, TimeUnit.MILLISECONDS)) {
            long current = progress.get(Counter.CURRENT);
            onProgress.accept(readBefore + current - from);
            if (current != last || progress.get(Counter.STARTED) == 0) {
                last = current;
                since = System.nanoTime();
            } else if (System.nanoTime() - since > mostTime.toNanos()) {
                process.destroyForcibly().waitFor();
                return "takes more than %d s".formatted(mostTime.toSeconds());
            }
            long memory = residentMemory(process.pid());
            peakMemory = Math.max(peakMemory, memory);
            if (memory > MOST_MEMORY) {
                process.destroyForcibly().waitFor();
                return "takes more than %,d MiB of memory".formatted(MOST_MEMORY >> 20);
            }
        }
        return "the JVM ended with code %d%s".formatted(process.exitValue(), crashedIn(from));
    }

    /** The most resident memory of a process so far, in bytes; 0 where Linux does not say. */
    private static long residentMemory(long pid) {
        try (Stream<String> lines = Files.lines(Path.of("/proc", String.valueOf(pid), "status"))) {
            return lines.filter(line -> line.startsWith("VmHWM:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
                    .findFirst()
                    .orElse(0);
        } catch (IOException | RuntimeException e) {
            return 0; // It has ended, or this is no Linux.
        }
    }

    /** What the JVM's own report says of a crash. */
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
            throw new IOException("cannot make input %d again".formatted(number), e);
        }
    }

    private FuzzReport report(Duration time) throws IOException {
        List<Defect> defects = new ArrayList<>(deaths);
        Path found = dir.resolve(DEFECTS);
        if (Files.exists(found)) {
            for (String line : Files.readAllLines(found, StandardCharsets.UTF_8)) {
                int space = line.indexOf(' ');
                if (space > 0) { // Else its writer was killed, and that input is a defect anyway.
                    defects.add(
                            new Defect(
                                    Long.parseLong(line.substring(0, space)),
                                    line.substring(space + 1)));
                }
            }
        }
        return new FuzzReport(
                progress.get(Counter.ACCEPTED),
                progress.get(Counter.REFUSED),
                progress.get(Counter.MOST_ALLOCATED),
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
