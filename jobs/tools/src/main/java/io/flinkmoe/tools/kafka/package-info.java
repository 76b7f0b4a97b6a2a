/** A Kafka broker in a separate process, and a reader of whole topics. */
package io.flinkmoe.tools.kafka;
