/**
 * The records that users create and receive. Each has its own serializer, offers its type
 * information as {@code TYPE}, and compares by content.
 */
package io.flinkmoe.api;
