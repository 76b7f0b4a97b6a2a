// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import org.apache.flink.annotation.Experimental;
import org.apache.flink.api.common.typeutils.base.IntSerializer;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.SimpleOperatorFactory;
import org.apache.flink.streaming.api.operators.TwoInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;

/**
 * The test harness of an operator with two keyed inputs. Flink's own accepts no environment, so
 * this class sets up the keys itself.
 *
 * @param <A> the records of the first input
 * @param <B> the records of the second input
 * @param <O> the records of the output
 */
@Experimental
public abstract class TwoInputHarness<A, B, O> extends AbstractStreamOperatorTestHarness<O> {

    private final AbstractStreamOperator<O> keyed;
    private final TwoInputStreamOperator<A, B, O> inputs;

    <P extends AbstractStreamOperator<O> & TwoInputStreamOperator<A, B, O>> TwoInputHarness(
            P operator,
            SimpleOperatorFactory<O> factory,
            Inputs<A, B> keys,
            MockEnvironment environment)
            throws Exception {
        super(factory, environment);
        this.keyed = operator;
        this.inputs = operator;
        config.setStatePartitioner(0, keys.first);
        config.setStatePartitioner(1, keys.second);
        config.setStateKeySerializer(IntSerializer.INSTANCE);
        config.serializeAllConfigs();
    }

    /** The keys of both inputs. */
    record Inputs<A, B>(KeySelector<A, Integer> first, KeySelector<B, Integer> second) {}

    void sendFirst(A block) throws Exception {
        StreamRecord<A> element = new StreamRecord<>(block);
        keyed.setKeyContextElement1(element);
        inputs.processElement1(element);
    }

    void sendSecond(B block) throws Exception {
        StreamRecord<B> element = new StreamRecord<>(block);
        keyed.setKeyContextElement2(element);
        inputs.processElement2(element);
    }

    /** Sends a watermark to both inputs. */
    public void processBothWatermarks(Watermark watermark) throws Exception {
        keyed.processWatermark1(watermark);
        keyed.processWatermark2(watermark);
    }

    /** Counts the entries of any state backend. */
    public int numKeyedStateEntries() {
        return Harnesses.keyedStateEntries(this);
    }

    @Override
    public void close() {
        Harnesses.close(super::close, getEnvironment());
    }
}
