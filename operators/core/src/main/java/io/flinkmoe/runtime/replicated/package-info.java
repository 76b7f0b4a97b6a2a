// SPDX-License-Identifier: Apache-2.0
/** All layers in one operator, without an exchange between router, experts and combine. */
package io.flinkmoe.runtime.replicated;
