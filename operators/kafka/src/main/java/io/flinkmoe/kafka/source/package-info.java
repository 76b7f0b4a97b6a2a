// SPDX-License-Identifier: Apache-2.0
/**
 * The source of the scoring job: Flink's Kafka source, which fails instead of skipping records,
 * allows only one job for a consumer group, and says why it waits. Start at {@link
 * io.flinkmoe.kafka.source.TokenSource}.
 */
package io.flinkmoe.kafka.source;
