// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.MoeResult;
import io.flinkmoe.kafka.source.StartPosition;
import io.flinkmoe.scoring.KafkaOptions;
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
import java.util.UUID;
import org.HdrHistogram.Histogram;
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

    private static final double[] LOADS = {0.5, 0.8};

    /** The time in which the tokens in front of the job are scored at full speed. */
    private static final double AHEAD_SECONDS = 0.25;

    /** Below full speed, a job runs code that is not compiled yet, and compiling takes cores. */
    private static final int ROUNDS_OF_COMPILING = 4;

    private static final Map<String, String> APPEND_TIME =
            Map.of("message.timestamp.type", "LogAppendTime");

    static List<VisibleLatency> measure(BenchContext context, Shape shape) throws Exception {
        Contenders contenders = context.contenders(shape);
        double memory = contenders.of(Contenders.FLINK_MOE).rate(context.time());
        try (KafkaBroker broker =
                KafkaBroker.start(context.folder().resolve("visible-" + shape.name()))) {
            broker.createTopic("scored", KafkaPart.PARTITIONS, APPEND_TIME);
            broker.createTopic("rejected", KafkaPart.PARTITIONS, APPEND_TIME);
            Run run = new Run(context, shape, broker, (long) (AHEAD_SECONDS * memory));
            for (KafkaSetting setting : KafkaSetting.ALL) {
                WarmUp.run(
                        context,
                        "%s, %s".formatted(shape.name(), setting),
                        time -> run.highest(setting, time));
            }
            List<VisibleLatency> all = new ArrayList<>();
            for (KafkaSetting setting : KafkaSetting.ALL) {
                double highest = run.highest(setting, context.time());
                List<Latency> loads = new ArrayList<>();
                for (double load : LOADS) {
                    context.report(
                            "%s, %s: visible answers at %.0f %% of %,.0f",
                            shape.name(), setting, 100 * load, highest);
                    loads.add(run.latency(setting, load, load * highest));
                }
                all.add(new VisibleLatency(setting, highest, loads));
            }
            return all;
        }
    }

    /**
     * @param ahead the tokens in front of the job while its highest rate is measured
     */
    private record Run(BenchContext context, Shape shape, KafkaBroker broker, long ahead) {

        double highest(KafkaSetting setting, Duration time) throws Exception {
            KafkaLoad.Target target = target();
            try (AnswerReader answers = AnswerReader.start(target.brokers(), "scored");
                    KafkaLoad load = KafkaLoad.ahead(target, shape.d(), ahead, answers);
                    FlinkRun run = job(setting, target, StartPosition.EARLIEST)) {
                Thread.sleep(time.toMillis() / 2);
                double rate = answers.rate(time);
                load.requireAlive();
                run.requireAlive();
                return rate;
            }
        }

        Latency latency(KafkaSetting setting, double share, double rate) throws Exception {
            KafkaLoad.Target target = target();
            Duration time = context.time();
            try (AnswerReader answers = AnswerReader.start(target.brokers(), "scored");
                    KafkaLoad load = KafkaLoad.steady(target, shape.d(), rate);
                    FlinkRun run = job(setting, target, StartPosition.LATEST)) {
                Thread.sleep(ROUNDS_OF_COMPILING * time.toMillis());
                Histogram micros = answers.latencies(time.multipliedBy(2));
                load.requireAlive();
                run.requireAlive();
                return Latency.of(share, rate, micros);
            }
        }

        /** A topic of its own for each run, in which there are no other tokens. */
        private KafkaLoad.Target target() throws Exception {
            String topic = "tokens-" + UUID.randomUUID();
            broker.createTopic(topic, KafkaPart.PARTITIONS, APPEND_TIME);
            return new KafkaLoad.Target(broker.bootstrapServers(), topic);
        }

        private FlinkRun job(KafkaSetting setting, KafkaLoad.Target target, StartPosition start)
                throws Exception {
            Configuration options = KafkaPart.options(context, context.contenders(shape), broker);
            options.set(KafkaOptions.SOURCE_TOPIC, target.topic());
            options.set(KafkaOptions.SOURCE_START, start);
            setting.addTo(options);
            options.addAll(context.options());
            StreamExecutionEnvironment env = context.cluster().environment(Contenders.PARALLELISM);
            MoeResult result = ScoringJob.build(env, options);
            result.scored().sinkTo(new CountingSink()).uid("counting-sink");
            return FlinkRun.start(context.cluster(), env);
        }
    }
}
