/** What a capacity costs: the flights, scored with different capacities and admissions. */
package io.flinkmoe.tools.bench.capacity;
