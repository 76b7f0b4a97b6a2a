// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.api.Token;
import io.flinkmoe.tools.drill.RepeatedAnswers.ZombieTime;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;
import org.apache.flink.configuration.Configuration;

/** Disturbs a job of one mode while it scores, and runs it again undisturbed. */
@Internal
final class Drill {

    private final DrillEnvironment environment;
    private final DrillPlan plan;
    private final List<Token> flights;
    private final Consumer<String> out;
    private final List<ZombieTime> zombies = new ArrayList<>();

    /**
     * @param out receives a line for each step
     */
    Drill(DrillEnvironment environment, DrillPlan plan, List<Token> flights, Consumer<String> out) {
        this.environment = environment;
        this.plan = plan;
        this.flights = flights;
        this.out = out;
    }

    /** Runs both jobs, and compares their answers. Each mode can be run once. */
    DrillReport run(DrillMode mode) throws Exception {
        String source = "flights-" + mode;
        String drilled = "drilled-" + mode;
        String undisturbed = "undisturbed-" + mode;
        environment.createTopic(source);
        List<Token> sent = disturb(source, environment.options(mode, source, drilled));
        out.accept("Scoring the same %,d flights without disturbance".formatted(sent.size()));
        environment.run(environment.options(mode, source, undisturbed));

        DrillAnswers expected = DrillAnswers.read(environment.brokers(), undisturbed);
        Map<Difference, Long> others = Map.of();
        DrillAnswers found;
        if (plan.repeats()) {
            DrillProducer.Topic topic = environment.topic(source);
            RepeatedAnswers answers = new RepeatedAnswers(topic::partitionOf, zombies);
            DrillAnswers.forEachRecord(environment.brokers(), drilled, answers::add);
            others = answers.counts();
            found = answers.first();
        } else {
            found = DrillAnswers.read(environment.brokers(), drilled);
        }
        return new DrillReport(
                mode,
                DrillCheck.of(sent, expected, expected, mode.rule()),
                DrillCheck.of(sent, expected, found, mode.rule()).with(others),
                deadLetters(drilled) + deadLetters(undisturbed),
                expected.open() + found.open());
    }

    private long deadLetters(String name) {
        return DrillAnswers.end(environment.brokers(), DrillEnvironment.deadLetters(name));
    }

    /** Runs the job while flights are sent. Returns the flights. */
    private List<Token> disturb(String source, Configuration options) throws Exception {
        options.addAll(plan.state());
        List<Token> sent = new ArrayList<>();
        DrillProducer producer =
                environment.producer(
                        source, new DrillStream(flights), SendRate.steady(plan.rate()), sent::add);
        JobID job = environment.submit(options);
        producer.start();
        out.accept("");
        job = plan.rescales() ? rescale(job, options, producer) : kill(job, producer);
        producer.finish();
        producer.await();
        environment.awaitConsumed(job, options);
        environment.rest().stop(job, true);
        out.accept("");
        return sent;
    }

    private JobID kill(JobID job, DrillProducer producer) throws IOException, InterruptedException {
        out.accept("kill  process%-24s when%-19s recovered after".formatted("", ""));
        ProcessKiller killer = new ProcessKiller(environment, job, out);
        for (KillPlan.Kill kill :
                KillPlan.of(
                        plan.seed(),
                        plan.kills(),
                        plan.repeats(),
                        environment.cluster().taskManagers(),
                        environment.cluster().jobManagers())) {
            killer.execute(kill);
            producer.check();
        }
        zombies.addAll(killer.zombies());
        return job;
    }

    private JobID rescale(JobID job, Configuration options, DrillProducer producer)
            throws Exception {
        Rescaler rescaler = new Rescaler(environment, job, options, out);
        for (int parallelism : plan.parallelisms()) {
            rescaler.execute(parallelism);
            producer.check();
        }
        return rescaler.job();
    }
}
