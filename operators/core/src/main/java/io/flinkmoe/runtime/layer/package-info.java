// SPDX-License-Identifier: Apache-2.0
/**
 * The steps of a layer on a block of tokens: routing, calls of experts, the weighted sum. The
 * operators of the packages beside this one run one step each; {@code replicated} runs all of them.
 */
package io.flinkmoe.runtime.layer;
