package io.flinkmoe.stream;

/**
 * A record that could not be scored, as it came, and why.
 *
 * @param record the raw bytes of the record, or of the token where there never were bytes
 * @param topic the topic it came from; empty where it did not come from Kafka
 * @param partition the partition it came from; -1 where it did not come from Kafka
 * @param offset its offset in the partition; -1 where it did not come from Kafka
 * @param reason what is wrong with it
 */
public record DeadLetter(byte[] record, String topic, int partition, long offset, String reason) {}
