/** Feeds the readers of files and records with bytes that no honest program has written. */
package io.flinkmoe.tools.fuzz;
