package io.flinkmoe.tools.statistics;

import java.time.Duration;
import org.apache.flink.annotation.Internal;

/**
 * How often and how long is measured.
 *
 * @param count rounds that are counted, after one that is not
 * @param time how long one measurement is
 */
@Internal
public record Rounds(int count, Duration time) {}
