// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import java.io.IOException;
import java.util.Collection;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.sink2.Committer;
import org.apache.flink.connector.kafka.sink.KafkaCommittable;
import org.apache.flink.runtime.execution.SuppressRestartsException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.InvalidTxnStateException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.UnknownProducerIdException;

/**
 * Fails the job for good if a transaction of this run cannot be committed any more. Flink's
 * committer only logs it, and the next checkpoint counts the lost records as written. A restart
 * would do no better: it finds the same transaction, and cannot tell whether it was committed.
 *
 * <p>Transactions of a restored state have no producer. They may have been committed before, and
 * their ids used again since, so nothing is known of them.
 */
@Internal
@SuppressWarnings("try") // Flink's committers may be interrupted while they close.
final class CheckedCommitter implements Committer<KafkaCommittable> {

    private final Committer<KafkaCommittable> committer;

    CheckedCommitter(Committer<KafkaCommittable> committer) {
        this.committer = committer;
    }

    @Override
    public void commit(Collection<CommitRequest<KafkaCommittable>> requests)
            throws IOException, InterruptedException {
        List<CommitRequest<KafkaCommittable>> checked =
                requests.stream()
                        .<CommitRequest<KafkaCommittable>>map(CheckedRequest::new)
                        .toList();
        committer.commit(checked);
    }

    @Override
    public void close() throws Exception {
        committer.close();
    }

    private record CheckedRequest(CommitRequest<KafkaCommittable> request)
            implements CommitRequest<KafkaCommittable> {

        private static final List<Class<? extends Exception>> LOST =
                List.of(
                        ProducerFencedException.class,
                        InvalidProducerEpochException.class,
                        InvalidTxnStateException.class,
                        UnknownProducerIdException.class);

        @Override
        public void signalFailedWithKnownReason(Throwable reason) {
            failIfLost(reason);
            request.signalFailedWithKnownReason(reason);
        }

        @Override
        public void signalFailedWithUnknownReason(Throwable reason) {
            failIfLost(reason);
            request.signalFailedWithUnknownReason(reason);
        }

        private void failIfLost(Throwable reason) {
            boolean isOfThisRun = getCommittable().getProducer().isPresent();
            if (isOfThisRun && LOST.stream().anyMatch(type -> type.isInstance(reason))) {
                throw new SuppressRestartsException(
                        new IllegalStateException(
                                ("the answers of the Kafka transaction %s are lost, because it"
                                                + " cannot be committed (%s): another job uses the"
                                                + " same transactional ids, or the transaction was"
                                                + " open for longer than %s. Give each job its own"
                                                + " %s, or raise the timeout, and restore a state"
                                                + " from before")
                                        .formatted(
                                                getCommittable().getTransactionalId(),
                                                reason.getMessage(),
                                                KafkaOptions.SINK_TRANSACTION_TIMEOUT.key(),
                                                KafkaOptions.SINK_TRANSACTIONAL_ID_PREFIX.key())));
            }
        }

        @Override
        public KafkaCommittable getCommittable() {
            return request.getCommittable();
        }

        @Override
        public int getNumberOfRetries() {
            return request.getNumberOfRetries();
        }

        @Override
        public void retryLater() {
            request.retryLater();
        }

        @Override
        public void updateAndRetryLater(KafkaCommittable committable) {
            request.updateAndRetryLater(committable);
        }

        @Override
        public void signalAlreadyCommitted() {
            request.signalAlreadyCommitted();
        }
    }
}
