// SPDX-License-Identifier: Apache-2.0
/**
 * How the job reads records and writes answers: the options about users' own records and the
 * registry with their schemas, the checks of these options, and what is made of them.
 */
package io.flinkmoe.scoring.record;
