package io.flinkmoe.config;

import io.flinkmoe.capacity.Capacity;
import java.io.Serializable;
import org.apache.flink.annotation.Internal;

/**
 * How the experts of a layer run.
 *
 * @param batching how rows are joined to calls
 * @param capacity the capacity per expert and window, or dropless
 * @param onError what happens when a call throws
 * @param device what the experts run on
 */
@Internal
public record ExpertSettings(
        ExpertBatching batching, Capacity capacity, MoeOptions.OnError onError, ExpertDevice device)
        implements Serializable {}
