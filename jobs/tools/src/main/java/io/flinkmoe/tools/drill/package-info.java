/**
 * Fault-injection tests. The drill kills processes while a job scores, and compares its answers
 * with those of an undisturbed run. The soak test runs a job for a long time and checks its memory.
 */
package io.flinkmoe.tools.drill;
