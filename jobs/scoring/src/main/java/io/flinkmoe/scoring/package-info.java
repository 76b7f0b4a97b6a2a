/**
 * The ready job: tokens from one Kafka topic, through the layers of a bundle, to another, exactly
 * once. {@link io.flinkmoe.scoring.ScoringJob#build} checks the options, the bundle and Kafka
 * before anything starts.
 */
package io.flinkmoe.scoring;
