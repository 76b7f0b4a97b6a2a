/**
 * How well a router spreads tokens over its experts: the losses that systems train with, loads, and
 * statistics of windows. Plain Java; {@code routing} does not use it.
 */
package io.flinkmoe.routing.health;
