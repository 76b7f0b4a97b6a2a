/**
 * Checks and measures experts on a GPU. deploy/gpu-check starts it with only a few jars, so it
 * imports no other package of the tools.
 */
package io.flinkmoe.tools.gpu;
