/**
 * What a unit test of a job with MoE layers needs: {@link io.flinkmoe.testing.TinyBundle} writes a
 * small model, {@link io.flinkmoe.testing.TestTokens} makes its input, {@link
 * io.flinkmoe.testing.OperatorHarnesses} runs single operators, and {@link
 * io.flinkmoe.testing.MoeAssertions} checks the results.
 */
package io.flinkmoe.testing;
