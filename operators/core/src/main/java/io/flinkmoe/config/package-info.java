/** The options, and the validated settings that are made from them. */
package io.flinkmoe.config;
