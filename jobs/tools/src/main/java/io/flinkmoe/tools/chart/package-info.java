/** Charts in SVG. */
package io.flinkmoe.tools.chart;
