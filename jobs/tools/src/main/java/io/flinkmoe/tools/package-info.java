/**
 * The command-line program {@code moe}: one package per command, and packages that commands share.
 */
package io.flinkmoe.tools;
