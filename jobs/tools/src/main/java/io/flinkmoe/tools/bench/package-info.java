/**
 * The benchmark: compares ways to run an MoE layer on a stream, each as fast as its kind allows, in
 * turn in one process.
 */
package io.flinkmoe.tools.bench;
