/** Base classes of type information and serializers, and arrays on the wire. */
package io.flinkmoe.serialization;
