/**
 * The helpers that several operators use: keys, watermarks and window counts in state, metrics, and
 * the local bundle.
 */
package io.flinkmoe.runtime.shared;
