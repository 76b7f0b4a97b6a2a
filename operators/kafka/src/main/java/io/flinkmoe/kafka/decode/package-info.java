// SPDX-License-Identifier: Apache-2.0
/**
 * Decodes the values and keys of records, in JSON or Avro, finds values in them, and keeps fields
 * of them for answers. Knows nothing of tokens and models.
 */
package io.flinkmoe.kafka.decode;
