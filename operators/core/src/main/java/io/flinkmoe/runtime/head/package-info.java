/** Runs the model's head and emits scored tokens and decision records. */
package io.flinkmoe.runtime.head;
