/** Runs the scoring job in this process or on the local cluster. */
package io.flinkmoe.tools.score;
