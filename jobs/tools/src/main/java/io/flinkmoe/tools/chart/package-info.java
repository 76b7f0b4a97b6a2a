/**
 * Line charts, bar charts and heat maps as static SVG with tooltips, for the demo's page and for
 * files. No library is used because XChart cannot write tooltips into SVG, and ECharts needs a
 * browser or a JavaScript engine.
 */
package io.flinkmoe.tools.chart;
