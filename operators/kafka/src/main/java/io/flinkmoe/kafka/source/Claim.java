// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.io.Serializable;
import org.apache.flink.annotation.Internal;

/**
 * Something in Kafka that only one job may use, whichever topics it reads and writes.
 *
 * @param owners the consumer group whose only member is that job
 * @param text what it is, in words
 */
@Internal
public record Claim(String owners, String text) implements Serializable {

    /** A consumer group: two jobs would both read all records. */
    public static Claim ofGroup(String group) {
        return new Claim(group + ".owner", "the consumer group " + group);
    }

    /** Transactional ids: each of two jobs would abort the transactions of the other. */
    public static Claim ofTransactionalIds(String prefix) {
        return new Claim(
                prefix + ".transactional-ids", "the transactional ids that begin with " + prefix);
    }
}
