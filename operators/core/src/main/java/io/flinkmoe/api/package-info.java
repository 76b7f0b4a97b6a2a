/**
 * The records that users create and receive. Each has its type information in {@code TYPE}, a
 * serializer of its own, and compares by content.
 */
package io.flinkmoe.api;
