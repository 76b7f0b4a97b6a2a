/** Base classes of type information and serializers, and the serialized form of arrays. */
package io.flinkmoe.serialization;
