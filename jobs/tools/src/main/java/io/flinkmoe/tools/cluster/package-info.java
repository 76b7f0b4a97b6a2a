/** A Flink cluster of real processes on this machine, and the command that starts and stops it. */
package io.flinkmoe.tools.cluster;
