/**
 * The command line of the scoring job: options, configuration file, dry run, and the main class of
 * the job jar.
 */
package io.flinkmoe.scoring.cli;
