/** Feeds damaged and random bytes to the readers of files and records. */
package io.flinkmoe.tools.fuzz;
