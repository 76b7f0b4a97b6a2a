/** Decides which choices the experts admit, without vectors and models. */
package io.flinkmoe.runtime.admission;
