// SPDX-License-Identifier: Apache-2.0
/**
 * The schemas that a job has pinned: they are resolved once, and are kept in the state of its
 * source, so that the job decodes as before when it is restored.
 */
package io.flinkmoe.kafka.pinned;
