/** Figures about figures: ranks, spreads, rates, and how often to measure. */
package io.flinkmoe.tools.statistics;
