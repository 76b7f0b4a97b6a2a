package io.flinkmoe.capacity;

/**
 * One choice that asks an expert for room, as the {@link AdmissionOrder} sees it.
 *
 * @param rank 0 for a token's first choice, to k-1
 * @param topScore what the token's first choice scores
 * @param score what this choice scores
 */
public record Candidate(int rank, float topScore, float score) {}
