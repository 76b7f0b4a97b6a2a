// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.MoeResult;
import io.flinkmoe.scoring.ScoringJob;
import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.CountingSink;
import io.flinkmoe.tools.bench.contenders.FlinkRun;
import io.flinkmoe.tools.bench.contenders.Shape;
import io.flinkmoe.tools.kafka.KafkaBroker;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * How long after a token is due its answer is visible to a reader of Kafka. Producer, broker, job
 * and reader share the cores of the machine, also while the highest rate is measured.
 *
 * @param highest the highest rate of the setting in tokens per second
 * @param loads the latencies at shares of it
 */
@Internal
record VisibleLatency(KafkaSetting setting, double highest, List<Latency> loads) {

    /** The time in which the tokens in front of the job are scored at full speed. */
    private static final double AHEAD_SECONDS = 0.25;

    /** At half of the highest rate, the job scores the tokens in front of it in about 2 s. */
    private static final Duration DRAIN = Duration.ofSeconds(3);

    private static final Map<String, String> TOPIC =
            Map.of("message.timestamp.type", "LogAppendTime", "file.delete.delay.ms", "0");

    static List<VisibleLatency> measure(BenchContext context, Shape shape) throws Exception {
        Contenders contenders = context.contenders(shape);
        double memory = contenders.of(Contenders.FLINK_MOE).rate(context.time());
        try (KafkaBroker broker =
                KafkaBroker.start(context.folder().resolve("visible-" + shape.name()))) {
            broker.createTopic(KafkaPart.REJECTED, KafkaPart.PARTITIONS, TOPIC);
            Run run = new Run(context, shape, broker, (long) (AHEAD_SECONDS * memory));
            run.of(KafkaSetting.ALL.get(0)); // Job and broker compile their code.
            List<VisibleLatency> all = new ArrayList<>();
            for (KafkaSetting setting : KafkaSetting.ALL) {
                all.add(run.of(setting));
            }
            return all;
        }
    }

    /**
     * @param ahead the tokens in front of the job while its highest rate is measured
     */
    private record Run(BenchContext context, Shape shape, KafkaBroker broker, long ahead) {

        /**
         * Measures a setting in topics of its own. They are deleted, so that their memory is used
         * again: a virtual machine gets memory that it never used slowly, page by page.
         */
        VisibleLatency of(KafkaSetting setting) throws Exception {
            List<String> topics = List.of(KafkaPart.TOKENS, KafkaPart.SCORED);
            for (String topic : topics) {
                broker.createTopic(topic, KafkaPart.PARTITIONS, TOPIC);
            }
            VisibleLatency latency = inOneJob(setting);
            broker.deleteTopics(topics);
            return latency;
        }

        /** A second job would run code that is not compiled yet. */
        private VisibleLatency inOneJob(KafkaSetting setting) throws Exception {
            KafkaLoad.Target target =
                    new KafkaLoad.Target(broker.bootstrapServers(), KafkaPart.TOKENS);
            String what = "%s, %s".formatted(shape.name(), setting);
            try (AnswerReader answers = AnswerReader.start(target.brokers(), KafkaPart.SCORED);
                    KafkaLoad load = KafkaLoad.ahead(target, shape.d(), ahead, answers);
                    FlinkRun run = job(setting)) {
                WarmUp.run(context, what, answers::rate);
                WarmUp.awaitCompiled(context, what);
                double highest = answers.rate(context.time());
                List<Latency> loads = new ArrayList<>();
                for (double share : Latency.LOADS) {
                    double rate = share * highest;
                    context.report(
                            "%s: visible answers at %.0f %% of %,.0f", what, 100 * share, highest);
                    load.steady(rate);
                    Thread.sleep(DRAIN.toMillis());
                    WarmUp.awaitCompiled(context, what);
                    loads.add(
                            Latency.of(
                                    share,
                                    rate,
                                    answers.latencies(context.time().multipliedBy(2))));
                }
                load.requireAlive();
                run.requireAlive();
                return new VisibleLatency(setting, highest, loads);
            }
        }

        private FlinkRun job(KafkaSetting setting) throws Exception {
            Configuration options = KafkaPart.options(context, context.contenders(shape), broker);
            setting.addTo(options);
            options.addAll(context.options());
            StreamExecutionEnvironment env = context.cluster().environment(Contenders.PARALLELISM);
            MoeResult result = ScoringJob.build(env, options);
            result.scored().sinkTo(new CountingSink()).uid("counting-sink");
            return FlinkRun.start(context.cluster(), env);
        }
    }
}
