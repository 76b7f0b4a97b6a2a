/** Ranks, spreads, rates, and the rounds of measurements. */
package io.flinkmoe.tools.statistics;
