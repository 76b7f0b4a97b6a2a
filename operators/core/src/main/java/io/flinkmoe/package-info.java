/**
 * The entry point: {@link io.flinkmoe.MoeLayers} adds the MoE layers of a model bundle to a Flink
 * job, and {@link io.flinkmoe.MoeResult} has the streams that they emit.
 */
package io.flinkmoe;
