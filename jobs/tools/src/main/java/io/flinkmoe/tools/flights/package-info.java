/** The data of the demo: real flights, and the answers that they must get. */
package io.flinkmoe.tools.flights;
