/**
 * The command line of the scoring job: its options, its configuration file, the dry run, and the
 * main class of the job jar.
 */
package io.flinkmoe.scoring.cli;
