// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.config;

import java.io.Serializable;
import java.time.Duration;
import org.apache.flink.annotation.Internal;

/**
 * The settings that a job makes in code. Options make all others ({@link MoeSettings}).
 *
 * @param name the prefix of every operator's name and uid; unique in the job
 * @param decisionLog whether the layers emit a decision record for each scored token
 * @param routerLogits whether the layers emit the router logits of each token
 * @param divertLateTokens whether late tokens go to a side output; otherwise they keep their
 *     residual, with outcome LATE
 * @param maxOutOfOrderness how far a token may be behind the newest token of its partition before
 *     it is late; applies to arrivals that name their partition
 * @param draws the source of random draws for router noise and random admission
 */
@Internal
public record JobSettings(
        String name,
        boolean decisionLog,
        boolean routerLogits,
        boolean divertLateTokens,
        Duration maxOutOfOrderness,
        Draws draws)
        implements Serializable {}
