/** The scoring job, run inside this process or on the local cluster. */
package io.flinkmoe.tools.score;
