/**
 * What an open window costs: its state, its checkpoints, its restore and its close, for each state
 * backend.
 */
package io.flinkmoe.tools.bench.state;
