// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.ResidualBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.combine.Combine;
import io.flinkmoe.runtime.shared.EvenKeys;
import org.apache.flink.annotation.Experimental;
import org.apache.flink.api.common.typeutils.base.IntSerializer;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;

/**
 * The test harness of a combine. {@link OperatorHarnesses} creates it. Flink's own harness for two
 * keyed inputs accepts no environment, so this class sets up the keys itself.
 */
@Experimental
public final class CombineHarness extends AbstractStreamOperatorTestHarness<TokenBlock> {

    private final Combine combine;

    CombineHarness(Combine combine, EvenKeys lanes, MockEnvironment environment) throws Exception {
        super(combine, environment);
        this.combine = combine;
        KeySelector<ResidualBlock, Integer> first = block -> lanes.keyOf(block.tokens().lane());
        KeySelector<ContributionBlock, Integer> second = block -> lanes.keyOf(block.lane());
        config.setStatePartitioner(0, first);
        config.setStatePartitioner(1, second);
        config.setStateKeySerializer(IntSerializer.INSTANCE);
        config.serializeAllConfigs();
        setup(new TokenBlock.Serializer());
    }

    /** Sends blocks of the router to the combine. */
    public void send(ResidualBlock... blocks) throws Exception {
        for (ResidualBlock block : blocks) {
            StreamRecord<ResidualBlock> element = new StreamRecord<>(block);
            combine.setKeyContextElement1(element);
            combine.processElement1(element);
        }
    }

    /** Sends blocks of the experts to the combine. */
    public void send(ContributionBlock... blocks) throws Exception {
        for (ContributionBlock block : blocks) {
            StreamRecord<ContributionBlock> element = new StreamRecord<>(block);
            combine.setKeyContextElement2(element);
            combine.processElement2(element);
        }
    }

    /** Sends a watermark to both inputs. */
    public void processBothWatermarks(Watermark watermark) throws Exception {
        combine.processWatermark1(watermark);
        combine.processWatermark2(watermark);
    }

    @Override
    public void close() {
        Harnesses.close(super::close, getEnvironment());
    }
}
