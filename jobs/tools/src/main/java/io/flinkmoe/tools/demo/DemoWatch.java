// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.tools.text.Progress;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobExecutionResult;
import org.apache.flink.core.execution.JobClient;

/** Waits for the answers while the job runs, and shows the progress. */
@Internal
final class DemoWatch {

    private final CompletableFuture<JobExecutionResult> job;
    private final FlightProducer producer;
    private final DemoResults results;
    private final Progress progress;
    private long start;

    DemoWatch(JobClient job, FlightProducer producer, DemoResults results, Progress progress) {
        this.job = job.getJobExecutionResult();
        this.producer = producer;
        this.results = results;
        this.progress = progress;
    }

    /**
     * Reads until every token has an answer or is rejected, or until there is no more progress.
     *
     * @param timeout the maximum time without progress
     * @throws ExecutionException if the job failed
     * @throws IOException if the flights could not be sent
     */
    void await(ResultReader reader, Duration timeout)
            throws ExecutionException, InterruptedException, IOException {
        long seen = 0;
        long seenAt = System.nanoTime();
        while (!results.isComplete() && System.nanoTime() - seenAt < timeout.toNanos()) {
            reader.poll();
            if (job.isDone()) {
                job.get();
                throw new IOException("The job ended unexpectedly.");
            }
            if (producer.failure() != null) {
                throw new IOException(
                        "The flights could not be sent: " + producer.failure().getMessage(),
                        producer.failure());
            }
            long all = (long) producer.produced() + results.distinct() + results.deadLetters();
            if (all > seen) {
                seen = all;
                seenAt = System.nanoTime();
            }
            if (results.distinct() > 0) {
                if (start == 0) {
                    start = System.nanoTime();
                    producer.jobRuns();
                }
                progress.show(line());
            }
        }
        progress.done(line());
    }

    private String line() {
        double rate = 0;
        if (start > 0) {
            rate = (results.distinct() - 1) / ((System.nanoTime() - start) / 1e9);
        }
        return "sent %,7d   scored %,7d   rejected %,d   %,.0f tokens/s"
                .formatted(producer.produced(), results.distinct(), results.deadLetters(), rate);
    }
}
