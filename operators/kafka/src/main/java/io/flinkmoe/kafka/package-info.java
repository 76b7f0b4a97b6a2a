/**
 * Reads and writes Kafka records with the formats, watermarks and lateness rules of the scoring
 * job. Use it in your own jobs.
 *
 * <pre>{@code
 * TokenDeserializer deserializer = TokenDeserializer.builder(layers.inputs()).build();
 * Properties properties = new Properties();
 * properties.put("bootstrap.servers", "localhost:9092");
 * properties.put("group.id", "fraud");
 * TokenSource source = TokenSource.builder("tokens", properties, deserializer).build();
 * DataStream<Arrival> arrivals = env.fromSource(
 *         source,
 *         TokenWatermarks.forBoundedOutOfOrderness(Duration.ofSeconds(5))
 *                 .withIdleness(Duration.ofMinutes(1)),
 *         "tokens");
 * }</pre>
 *
 * <p>The module {@code schemas} defines the records. Each serializer writes one kind of record to
 * one topic. Set it as the record serializer of Flink's {@code KafkaSink}.
 */
package io.flinkmoe.kafka;
