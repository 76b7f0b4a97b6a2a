/** Opens the models of a bundle and runs probe rows before a job runs them. */
package io.flinkmoe.onnx.check;
