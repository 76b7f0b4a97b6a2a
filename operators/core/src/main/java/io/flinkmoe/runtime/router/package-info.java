/** Scores the tokens of a block against the experts and dispatches them to the chosen ones. */
package io.flinkmoe.runtime.router;
