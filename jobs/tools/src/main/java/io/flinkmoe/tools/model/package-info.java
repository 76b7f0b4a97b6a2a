/** Commands for models: import a checkpoint, inspect a bundle, run tokens from a file. */
package io.flinkmoe.tools.model;
