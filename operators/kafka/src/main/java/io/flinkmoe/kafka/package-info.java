/**
 * Records from and to Kafka: the formats, the watermarks and the lateness of the scoring job, for a
 * job of one's own.
 *
 * <pre>{@code
 * TokenDeserializer deserializer = TokenDeserializer.builder(layers.inputWidth()).build();
 * KafkaSource<Arrival> source = KafkaSource.<Arrival>builder()
 *         .setBootstrapServers("localhost:9092")
 *         .setTopics("tokens")
 *         .setDeserializer(deserializer)
 *         .build();
 * DataStream<Arrival> arrivals = env.fromSource(
 *         source,
 *         TokenWatermarks.forBoundedOutOfOrderness(Duration.ofSeconds(5))
 *                 .withIdleness(Duration.ofMinutes(1)),
 *         "tokens");
 * }</pre>
 *
 * <p>The records are those of the module {@code schemas}. A serializer writes one kind of them to
 * one topic; Flink's {@code KafkaSink} takes it as its record serializer.
 */
package io.flinkmoe.kafka;
