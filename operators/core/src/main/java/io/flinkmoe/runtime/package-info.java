/**
 * The topology of a job, and one package per operator. An operator's package imports no other
 * operator's package.
 *
 * <pre>
 *   Arrival ─► Ingest ══TokenBlock, by lane══► Router ══DispatchBlock, by expert══► Expert
 *                                               ║                                    ║
 *                                               ╚══ResidualBlock══► Combine ◄══ContributionBlock
 *                                                                      │ TokenBlock, to the router of
 *                                                                      │ the next layer, or to the head
 *                                                                      ▼
 *                                                                    Head ─► ScoredToken
 * </pre>
 */
package io.flinkmoe.runtime;
