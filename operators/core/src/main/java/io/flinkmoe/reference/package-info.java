/**
 * A whole bundle over a matrix in one process, without Flink: what the stream operators are held
 * against. Also the layers that a stream does not run, mixtures of attention heads.
 */
package io.flinkmoe.reference;
