/**
 * Which experts a token asks, and how much each of them counts: scores, selection, weights, and the
 * statistics of routing. Plain Java.
 *
 * <p>Dimensions, here and in the other packages (matrices are row-major):
 *
 * <pre>
 *   T  tokens of a call, a block or a window
 *   N  experts of a layer that tokens are routed to
 *   k  experts that each token asks, its choices in order of rank
 *   C  tokens that one expert has room for in a window
 *   d  width of a hidden vector
 * </pre>
 */
package io.flinkmoe.routing;
