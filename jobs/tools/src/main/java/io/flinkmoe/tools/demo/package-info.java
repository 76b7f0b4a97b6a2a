/** The demo: scores real flights end to end on this machine, and reports the results. */
package io.flinkmoe.tools.demo;
