/** The page of all options, generated from the options themselves. */
package io.flinkmoe.tools.options;
