// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.config;

import java.io.Serializable;
import org.apache.flink.annotation.Internal;

/**
 * How the experts of a layer run.
 *
 * @param batching how rows are batched into calls
 * @param onError what happens when a call throws
 * @param device the device that runs the experts
 */
@Internal
public record ExpertSettings(
        ExpertBatching batching, MoeOptions.OnError onError, ExpertDevice device)
        implements Serializable {}
