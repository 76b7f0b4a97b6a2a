// SPDX-License-Identifier: Apache-2.0
/**
 * Schemas from a registry with Confluent's API: a small client, Confluent's wire format, and the
 * writers' schemas that a reader needs. {@link io.flinkmoe.kafka.registry.WriterSchemas} decides
 * what happens while the registry is away.
 */
package io.flinkmoe.kafka.registry;
