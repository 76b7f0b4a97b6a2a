/** Finds a token in the decision log and says which experts it was sent to, and why. */
package io.flinkmoe.tools.explain;
