// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import com.sun.management.ThreadMXBean;
import io.flinkmoe.tools.fuzz.FuzzProgress.Counter;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Locale;
import org.apache.flink.annotation.Internal;

/** The process in which a target is tested. See {@link FuzzProcess} for its arguments. */
@Internal
final class FuzzMain {

    static final int WARM_UP = 20;
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private final FuzzTarget target;
    private final Mutator mutator;
    private final FuzzProgress progress;
    private final Path defects;
    private final Path dir;

    private FuzzMain(FuzzTarget target, Mutator mutator, FuzzProgress progress, Path dir) {
        this.target = target;
        this.mutator = mutator;
        this.progress = progress;
        this.defects = dir.resolve(FuzzFiles.DEFECTS);
        this.dir = dir;
    }

    /** Arguments: the class of the target, the seed, the first input, the end, the directory. */
    public static void main(String[] args) throws Exception {
        Locale.setDefault(Locale.ROOT); // The same locale as in the process that reads the reports.
        FuzzTarget target = FuzzTargets.make(Class.forName(args[0]).asSubclass(FuzzTarget.class));
        Path dir = Path.of(args[4]);
        List<byte[]> samples = target.open(Files.createTempDirectory(dir, "target-"));
        FuzzMain main =
                new FuzzMain(
                        target,
                        new Mutator(Long.parseLong(args[1]), samples, target.isProtobuf()),
                        new FuzzProgress(dir.resolve(FuzzFiles.PROGRESS)),
                        dir);
        for (int i = 0;
                i < WARM_UP;
                i++) { // Loads classes, so that they do not count as allocation of an input.
            for (byte[] sample : samples) {
                main.read(sample);
            }
        }
        main.feed(Long.parseLong(args[2]), Long.parseLong(args[3]));
    }

    private void feed(long from, long to) throws IOException {
        progress.set(Counter.STARTED, 1);
        for (long number = from; number < to; number++) {
            byte[] input = mutator.input(number);
            progress.set(Counter.CURRENT, number);
            long before = THREADS.getCurrentThreadAllocatedBytes();
            Throwable thrown = read(input);
            long allocated = THREADS.getCurrentThreadAllocatedBytes() - before;
            if (allocated > progress.get(Counter.MAX_ALLOCATED)) {
                progress.set(Counter.MAX_ALLOCATED, allocated);
            }
            long limit = target.allocationLimit(input.length);
            if (thrown != null && !isRejection(thrown)) {
                report(number, thrown.toString());
                thrown.printStackTrace();
            } else if (allocated > limit) {
                report(
                        number,
                        "allocates %,d bytes for an input of %,d bytes; allowed: %,d"
                                .formatted(allocated, input.length, limit));
            } else {
                Counter counter = thrown == null ? Counter.ACCEPTED : Counter.REJECTED;
                progress.set(counter, progress.get(counter) + 1);
            }
        }
        progress.set(Counter.DONE, 1);
    }

    private Throwable read(byte[] input) {
        try {
            target.read(input);
            return null;
        } catch (Throwable e) { // An input must not cause an Error, either.
            return e;
        }
    }

    private boolean isRejection(Throwable thrown) {
        return target.rejections().stream().anyMatch(type -> type.isInstance(thrown));
    }

    private void report(long number, String what) throws IOException {
        Files.writeString(
                defects,
                "%d %s%n".formatted(number, what.replaceAll("\\R", " ")),
                StandardCharsets.UTF_8,
                StandardOpenOption.CREATE,
                StandardOpenOption.APPEND);
        Files.write(dir.resolve(FuzzFiles.inputFile(number)), mutator.input(number));
    }
}
