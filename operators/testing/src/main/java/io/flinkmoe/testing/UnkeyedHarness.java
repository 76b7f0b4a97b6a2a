// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;

/** The test harness of an operator without keys. */
@Internal
final class UnkeyedHarness<I, O> extends OneInputStreamOperatorTestHarness<I, O> {

    UnkeyedHarness(
            OneInputStreamOperator<I, O> operator,
            TypeSerializer<I> serializer,
            MockEnvironment environment)
            throws Exception {
        super(operator, serializer, environment);
    }

    @Override
    public void close() {
        Harnesses.close(super::close, getEnvironment());
    }
}
