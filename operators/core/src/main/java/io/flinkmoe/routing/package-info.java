/**
 * Which experts a token is sent to, and with which weights: scores, selection, weights, noise.
 * Plain Java.
 *
 * <p>Dimensions, here and in the other packages (matrices are row-major):
 *
 * <pre>
 *   T  tokens of a call, a block or a window
 *   N  experts of a layer that tokens are routed to
 *   k  experts that each token is sent to, its choices in order of rank
 *   C  the capacity: choices that one expert executes in a window
 *   d  width of a hidden vector
 * </pre>
 */
package io.flinkmoe.routing;
