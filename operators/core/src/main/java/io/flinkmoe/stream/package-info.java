/**
 * The operators and what flows between them.
 *
 * <pre>
 *   Arrival ─► {@link io.flinkmoe.stream.Ingest} ══TokenBlock, by lane══► {@link io.flinkmoe.stream.Router} ══DispatchBlock, by expert══► {@link io.flinkmoe.stream.Expert}
 *                                               ║                                    ║
 *                                               ╚══ResidualBlock══► {@link io.flinkmoe.stream.Combine} ◄══ContributionBlock
 *                                                                      │ TokenBlock, to the next layer's router or
 *                                                                      ▼
 *                                                                    {@link io.flinkmoe.stream.Head} ─► ScoredToken
 * </pre>
 *
 * Blocks are never changed once they are emitted, but for vectors that are borrowed: see {@link
 * io.flinkmoe.stream.Vectors}. Each has a serializer of its own, and vectors travel as
 * little-endian float32 bytes that are copied in bulk.
 */
package io.flinkmoe.stream;
