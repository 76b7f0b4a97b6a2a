// SPDX-License-Identifier: Apache-2.0
/**
 * Packed weights of checkpoints, read row by row as floats: FP8 with scales, int4 and int8 groups,
 * NVFP4 and MXFP4.
 */
package io.flinkmoe.model.packed;
