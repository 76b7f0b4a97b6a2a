/** Flink inside this process, and the REST API of a cluster. */
package io.flinkmoe.tools.flink;
