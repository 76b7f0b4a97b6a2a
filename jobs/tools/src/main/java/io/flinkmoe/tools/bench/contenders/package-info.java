/** The ways to run an MoE layer on a stream that the benchmark compares. */
package io.flinkmoe.tools.bench.contenders;
