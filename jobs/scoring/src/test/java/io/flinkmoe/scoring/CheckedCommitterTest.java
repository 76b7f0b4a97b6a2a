// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import org.apache.flink.api.connector.sink2.Committer;
import org.apache.flink.connector.kafka.sink.KafkaCommittable;
import org.apache.flink.connector.kafka.sink.internal.FlinkKafkaInternalProducer;
import org.apache.flink.runtime.execution.SuppressRestartsException;
import org.apache.kafka.common.errors.AuthenticationException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.InvalidTxnStateException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.junit.jupiter.api.Test;

class CheckedCommitterTest {

    private final List<String> signals = new ArrayList<>();

    @Test
    void aFencedTransactionOfThisRunFailsTheJobForGood() {
        for (RuntimeException lost :
                List.of(
                        new ProducerFencedException("a newer producer"),
                        new InvalidTxnStateException("a newer producer"))) {
            assertThatThrownBy(() -> commit(lost, false))
                    .isInstanceOf(SuppressRestartsException.class)
                    .hasRootCauseMessage(
                            "the answers of the Kafka transaction g/out-0-1 are lost, because it cannot"
                                    + " be committed (a newer producer): another job uses the same"
                                    + " transactional ids, or the transaction was open for longer than"
                                    + " moe.sink.transaction-timeout. Give each job its own"
                                    + " moe.sink.transactional-id-prefix, or raise the timeout, and"
                                    + " restore a state from before");
        }
        assertThatThrownBy(() -> commit(new InvalidProducerEpochException("old epoch"), true))
                .isInstanceOf(SuppressRestartsException.class);
        assertThat(signals).isEmpty();
    }

    /** It may have been committed before the job failed. */
    @Test
    void aFencedTransactionOfARestoredStateIsPassedOn() throws Exception {
        KafkaCommittable restored = new KafkaCommittable(1, (short) 0, "g/out-0-1", null);

        new CheckedCommitter(new Failing(new ProducerFencedException("used again"), false))
                .commit(List.of(new Request(restored, signals)));

        assertThat(signals).containsExactly("known: used again");
    }

    @Test
    void otherFailuresArePassedOn() throws Exception {
        commit(new AuthenticationException("no ticket"), true);

        assertThat(signals).containsExactly("unknown: no ticket");
    }

    private void commit(RuntimeException failure, boolean unknown) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", "localhost:1");
        properties.put(
                "key.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        properties.put(
                "value.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        try (FlinkKafkaInternalProducer<byte[], byte[]> producer =
                new FlinkKafkaInternalProducer<>(properties, "g/out-0-1")) {
            KafkaCommittable fresh =
                    new KafkaCommittable(1, (short) 0, producer.getTransactionalId(), producer);
            new CheckedCommitter(new Failing(failure, unknown))
                    .commit(List.of(new Request(fresh, signals)));
        }
    }

    /** As Flink's committer, which knows the reason of some failures. */
    private record Failing(Exception failure, boolean unknown)
            implements Committer<KafkaCommittable> {

        @Override
        public void commit(Collection<CommitRequest<KafkaCommittable>> requests) {
            for (CommitRequest<KafkaCommittable> request : requests) {
                if (unknown) {
                    request.signalFailedWithUnknownReason(failure);
                } else {
                    request.signalFailedWithKnownReason(failure);
                }
            }
        }

        @Override
        public void close() {}
    }

    private record Request(KafkaCommittable committable, Collection<String> signals)
            implements Committer.CommitRequest<KafkaCommittable> {

        @Override
        public KafkaCommittable getCommittable() {
            return committable;
        }

        @Override
        public int getNumberOfRetries() {
            return 0;
        }

        @Override
        public void signalFailedWithKnownReason(Throwable reason) {
            signals.add("known: " + reason.getMessage());
        }

        @Override
        public void signalFailedWithUnknownReason(Throwable reason) {
            signals.add("unknown: " + reason.getMessage());
        }

        @Override
        public void retryLater() {
            signals.add("later");
        }

        @Override
        public void updateAndRetryLater(KafkaCommittable later) {
            signals.add("later");
        }

        @Override
        public void signalAlreadyCommitted() {
            signals.add("committed");
        }
    }
}
