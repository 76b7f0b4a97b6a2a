package io.flinkmoe.tools.cluster;

import java.nio.file.Path;
import org.apache.flink.annotation.Internal;

/**
 * A process of a local cluster as it is now.
 *
 * @param pid its id, or -1 if it does not run
 */
@Internal
public record ClusterMember(String name, long pid, Path log) {}
