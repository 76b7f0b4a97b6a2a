/** This machine: where the project lies, free ports, the temporary folder. */
package io.flinkmoe.tools.machine;
