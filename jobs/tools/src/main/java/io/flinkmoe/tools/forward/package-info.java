/** The command that runs tokens from a file through a bundle. */
package io.flinkmoe.tools.forward;
