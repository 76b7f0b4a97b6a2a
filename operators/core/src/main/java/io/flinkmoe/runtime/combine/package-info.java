/** Adds the weighted expert outputs to each token's residual and keeps every stream in order. */
package io.flinkmoe.runtime.combine;
