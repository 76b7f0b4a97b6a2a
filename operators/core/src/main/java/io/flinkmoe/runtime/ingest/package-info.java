/**
 * Separates dead letters from tokens, marks late tokens by partition, and collects the tokens of a
 * lane into blocks.
 */
package io.flinkmoe.runtime.ingest;
