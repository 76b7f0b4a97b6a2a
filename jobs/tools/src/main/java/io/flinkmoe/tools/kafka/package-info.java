/** A Kafka broker in a process of its own, and a reader of whole topics. */
package io.flinkmoe.tools.kafka;
