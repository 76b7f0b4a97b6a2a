// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.api.Token;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.connector.source.lib.NumberSequenceSource;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.Collector;

/**
 * A source whose subtasks each give one partition of some tokens: whole streams, dealt at random,
 * whose tokens are interleaved at random but stay in order within their stream.
 */
public final class ShuffledPartitions {

    /** Tokens do not travel with the job graph: the mini cluster is in this process. */
    private static final Map<Long, List<Token>> PARTITIONS = new ConcurrentHashMap<>();

    private ShuffledPartitions() {}

    public static DataStream<Token> of(
            StreamExecutionEnvironment env, List<Token> tokens, int partitions, long seed) {
        List<List<Token>> dealt = deal(tokens, partitions, new Random(seed));
        for (int partition = 0; partition < partitions; partition++) {
            PARTITIONS.put((long) partition, dealt.get(partition));
        }
        return env.fromSource(
                        new NumberSequenceSource(0, partitions - 1),
                        WatermarkStrategy.noWatermarks(),
                        "partitions")
                .uid("partitions")
                .setParallelism(partitions)
                .flatMap(
                        (Long partition, Collector<Token> out) ->
                                PARTITIONS.get(partition).forEach(out::collect),
                        Token.TYPE)
                .uid("tokens")
                .setParallelism(partitions);
    }

    private static List<List<Token>> deal(List<Token> tokens, int partitions, Random random) {
        Map<String, Queue<Token>> streams = new LinkedHashMap<>();
        for (Token token : tokens) {
            streams.computeIfAbsent(token.stream(), s -> new ArrayDeque<>()).add(token);
        }
        List<List<Queue<Token>>> hands = new ArrayList<>();
        List<List<Token>> dealt = new ArrayList<>();
        for (int partition = 0; partition < partitions; partition++) {
            hands.add(new ArrayList<>());
            dealt.add(new ArrayList<>());
        }
        streams.values().forEach(stream -> hands.get(random.nextInt(partitions)).add(stream));
        for (int partition = 0; partition < partitions; partition++) {
            List<Queue<Token>> hand = hands.get(partition);
            while (!hand.isEmpty()) {
                int pick = random.nextInt(hand.size());
                dealt.get(partition).add(hand.get(pick).remove());
                if (hand.get(pick).isEmpty()) {
                    hand.remove(pick);
                }
            }
        }
        return dealt;
    }
}
