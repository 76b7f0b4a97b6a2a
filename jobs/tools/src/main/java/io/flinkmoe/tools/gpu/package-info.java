/**
 * Checks and measures experts on a GPU. It starts from deploy/gpu-check with a few jars only, thus
 * imports no other package of the tools.
 */
package io.flinkmoe.tools.gpu;
