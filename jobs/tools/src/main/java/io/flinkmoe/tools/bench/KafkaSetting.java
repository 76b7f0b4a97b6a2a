// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.config.LatencyProfile;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.PlacementOptions;
import io.flinkmoe.config.PlacementOptions.Placement;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.KafkaOptions.Delivery;
import java.util.List;
import java.util.Locale;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;

/**
 * A way to run the scoring job.
 *
 * @param placement where the experts run
 * @param profile how long data may wait for more of it
 * @param delivery how answers get into Kafka
 */
@Internal
record KafkaSetting(Placement placement, LatencyProfile profile, Delivery delivery) {

    /** The settings whose latencies are measured. With transactions, checkpoints decide them. */
    static final List<KafkaSetting> ALL =
            List.of(
                    new KafkaSetting(
                            Placement.REPLICATED, LatencyProfile.LOW, Delivery.AT_LEAST_ONCE),
                    new KafkaSetting(Placement.REPLICATED, LatencyProfile.LOW, Delivery.IDEMPOTENT),
                    new KafkaSetting(
                            Placement.REPLICATED, LatencyProfile.BALANCED, Delivery.AT_LEAST_ONCE),
                    new KafkaSetting(
                            Placement.PARTITIONED, LatencyProfile.LOW, Delivery.AT_LEAST_ONCE),
                    new KafkaSetting(
                            Placement.PARTITIONED,
                            LatencyProfile.BALANCED,
                            Delivery.AT_LEAST_ONCE));

    void addTo(Configuration options) {
        options.set(PlacementOptions.PLACEMENT, placement);
        options.set(MoeOptions.LATENCY, profile);
        options.set(KafkaOptions.SINK_DELIVERY, delivery);
    }

    @Override
    public String toString() {
        return "%s, %s, %s".formatted(placement.name().toLowerCase(Locale.ROOT), profile, delivery);
    }
}
