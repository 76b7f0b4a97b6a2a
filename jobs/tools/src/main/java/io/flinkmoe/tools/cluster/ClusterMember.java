// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import java.nio.file.Path;
import org.apache.flink.annotation.Internal;

/**
 * The current state of a process of a local cluster.
 *
 * @param pid its process id, or -1 if it does not run
 */
@Internal
public record ClusterMember(String name, long pid, Path log) {}
