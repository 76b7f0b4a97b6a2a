/**
 * Drills: processes are killed while a job scores, and its answers are compared with those of an
 * undisturbed run. And the soak, which runs a job for hours and watches its memory.
 */
package io.flinkmoe.tools.drill;
