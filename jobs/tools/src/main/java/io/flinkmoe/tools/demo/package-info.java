/** The demo: real flights, scored end to end on this machine, and the report about it. */
package io.flinkmoe.tools.demo;
