/**
 * Admits rows to the experts, runs the models in batched calls, and emits the results to the
 * combine.
 */
package io.flinkmoe.runtime.expert;
