/**
 * Line charts, bar charts and heat maps as static SVG with tooltips, for the demo's page and for
 * files. This is our own code because XChart writes no tooltips into SVG, and ECharts needs a
 * browser or a JavaScript engine to draw.
 */
package io.flinkmoe.tools.chart;
