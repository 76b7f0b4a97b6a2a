/** The data of the demo: real flights, and their expected answers. */
package io.flinkmoe.tools.flights;
