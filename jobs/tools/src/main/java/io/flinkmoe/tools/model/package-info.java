/** Commands on models: import a checkpoint, inspect a bundle, run it over a file. */
package io.flinkmoe.tools.model;
