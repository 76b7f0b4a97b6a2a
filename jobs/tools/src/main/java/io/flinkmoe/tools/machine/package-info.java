/** This machine: the project's folder, free ports, and the temporary folder. */
package io.flinkmoe.tools.machine;
