/**
 * Checks arrivals, filters late tokens by partition, and gathers the tokens of a lane into blocks.
 */
package io.flinkmoe.runtime.ingest;
