/** The page of all options, made from the options themselves. */
package io.flinkmoe.tools.options;
