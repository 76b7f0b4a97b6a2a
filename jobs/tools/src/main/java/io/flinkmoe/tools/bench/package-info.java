/**
 * The benchmark: the ways to run an MoE layer on a stream, each as good as its kind allows,
 * measured in turn in one process.
 */
package io.flinkmoe.tools.bench;
