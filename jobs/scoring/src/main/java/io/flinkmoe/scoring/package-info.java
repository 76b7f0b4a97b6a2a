/**
 * The ready-made scoring job: reads tokens from a Kafka topic, scores them with the layers of a
 * bundle, and writes the results to another topic, exactly once. {@link
 * io.flinkmoe.scoring.ScoringJob#build} checks the options, the bundle and Kafka before anything
 * starts.
 */
package io.flinkmoe.scoring;
