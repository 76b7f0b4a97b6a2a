// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import java.io.Serializable;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A field that the schema of the records does not have.
 *
 * @param path its path
 * @param input the input of the model that would be read from it
 */
@PublicEvolving
public record AbsentField(String path, String input) implements Serializable {}
