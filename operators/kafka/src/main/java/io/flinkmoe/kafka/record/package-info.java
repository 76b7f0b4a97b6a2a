// SPDX-License-Identifier: Apache-2.0
/**
 * Reads users' own records: JSON, Avro, or Avro with schemas in a registry. A {@link
 * io.flinkmoe.kafka.record.RecordBinding} says which fields are the stream, the timestamp and the
 * inputs of the model. Writes answers in the same format, with what {@link
 * io.flinkmoe.kafka.record.AnswerFields} says. Start at {@link
 * io.flinkmoe.kafka.record.RecordDeserializer}.
 */
package io.flinkmoe.kafka.record;
