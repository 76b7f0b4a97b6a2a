/**
 * Measures what a capacity costs: scores the flights with different capacities and admission
 * orders.
 */
package io.flinkmoe.tools.bench.capacity;
