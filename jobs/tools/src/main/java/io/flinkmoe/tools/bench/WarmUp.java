// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import java.lang.management.CompilationMXBean;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import org.apache.flink.annotation.Internal;

/**
 * Runs a job again and again, or watches one that goes on, until it gets no faster. The JVMs of the
 * job and of the broker compile their code meanwhile, on the cores that the job keeps busy; between
 * two runs, they get a pause for it.
 */
@Internal
final class WarmUp {

    private static final int MAX_ROUNDS = 16;

    /** After so many rounds in a row that are not faster than the best one, the job is warm. */
    private static final int ROUNDS_WITHOUT_GAIN = 2;

    private static final double GAIN = 1.05;
    private static final Duration PAUSE = Duration.ofSeconds(2);

    /** Compiling takes cores from a job, but with this share of one core it is close to its end. */
    private static final double COMPILING = 0.1;

    private WarmUp() {}

    /** Runs a job for some time, and returns its rate in tokens per second. */
    interface Round {

        double run(Duration time) throws Exception;
    }

    static void run(BenchContext context, String what, Round round) throws Exception {
        Duration time = context.time().dividedBy(2);
        double best = 0;
        int withoutGain = 0;
        for (int i = 1; i <= MAX_ROUNDS && withoutGain < ROUNDS_WITHOUT_GAIN; i++) {
            double rate = round.run(time);
            context.report("%s: warm-up %d: %,.0f tokens/s", what, i, rate);
            withoutGain = rate > GAIN * best ? 0 : withoutGain + 1;
            best = Math.max(best, rate);
            Thread.sleep(PAUSE.toMillis());
        }
    }

    /** Waits until this JVM has compiled nearly all code of the job that is running. */
    static void awaitCompiled(BenchContext context, String what) throws InterruptedException {
        CompilationMXBean compiler = ManagementFactory.getCompilationMXBean();
        long millis = context.time().toMillis();
        double share = 1;
        for (int i = 0; i < MAX_ROUNDS && share > COMPILING; i++) {
            long before = compiler.getTotalCompilationTime();
            Thread.sleep(millis);
            share = (compiler.getTotalCompilationTime() - before) / (double) millis;
        }
        context.report("%s: compiling takes %.2f cores", what, share);
    }
}
