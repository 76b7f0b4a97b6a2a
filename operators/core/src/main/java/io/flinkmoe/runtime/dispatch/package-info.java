/** Keeps vectors until their choices are decided, then sends them to the experts. */
package io.flinkmoe.runtime.dispatch;
