/**
 * Tools for unit tests of jobs with MoE layers: {@link io.flinkmoe.testing.TinyBundle} writes a
 * small model, {@link io.flinkmoe.testing.TestTokens} creates its input, {@link
 * io.flinkmoe.testing.OperatorHarnesses} runs single operators, and {@link
 * io.flinkmoe.testing.MoeAssertions} checks the results.
 */
package io.flinkmoe.testing;
