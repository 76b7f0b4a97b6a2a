package io.flinkmoe.config;

import java.io.Serializable;
import java.time.Duration;
import org.apache.flink.annotation.Internal;

/**
 * How rows are joined to calls of an expert.
 *
 * @param size rows of a call at most
 * @param linger how long a row waits for its call to fill, once no more input waits
 * @param padding whether every call has {@code size} rows, the missing ones being copies of its
 *     first: for devices whose kernels, and so the bits of an answer, depend on the shape
 */
@Internal
public record ExpertBatching(int size, Duration linger, boolean padding) implements Serializable {}
