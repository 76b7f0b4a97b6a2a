/** Finds a token in the decision log, and explains which experts it was sent to, and why. */
package io.flinkmoe.tools.explain;
