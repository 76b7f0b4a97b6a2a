/** Text on a terminal. */
package io.flinkmoe.tools.text;
