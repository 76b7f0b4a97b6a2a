/**
 * Typed columns: the named inputs and outputs of a model, and the values of one record. Pure; knows
 * neither Flink nor ONNX Runtime.
 */
package io.flinkmoe.column;
