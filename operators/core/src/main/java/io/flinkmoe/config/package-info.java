/** The options and the validated settings that are read from them. */
package io.flinkmoe.config;
