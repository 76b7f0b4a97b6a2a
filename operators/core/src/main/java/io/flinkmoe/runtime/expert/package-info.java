/** Admits rows to the experts, runs the models in batched calls, and answers the combine. */
package io.flinkmoe.runtime.expert;
