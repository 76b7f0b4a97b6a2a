/** The command-line program {@code moe}: one package per command, and a few that commands share. */
package io.flinkmoe.tools;
