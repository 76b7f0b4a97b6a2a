// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.config;

import java.io.Serializable;
import java.time.Duration;
import org.apache.flink.annotation.Internal;

/**
 * How rows are batched into calls of an expert.
 *
 * @param size the maximum number of rows in a call
 * @param linger how long a row waits for its call to fill while no more input is queued
 * @param padding whether every call is padded to {@code size} rows with copies of its first row;
 *     for devices whose kernels, and therefore the bits of a result, depend on the shape of the
 *     call
 */
@Internal
public record ExpertBatching(int size, Duration linger, boolean padding) implements Serializable {}
