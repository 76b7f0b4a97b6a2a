// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.text;

import static java.util.stream.Collectors.joining;

import java.util.Arrays;
import org.apache.flink.annotation.Internal;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Converts the text of an option to a constant of an enum, by what {@code toString} returns. */
@Internal
public abstract class EnumConverter<E extends Enum<E>> implements ITypeConverter<E> {

    private final Class<E> type;

    protected EnumConverter(Class<E> type) {
        this.type = type;
    }

    @Override
    public E convert(String text) {
        E[] constants = type.getEnumConstants();
        return Arrays.stream(constants)
                .filter(constant -> constant.toString().equalsIgnoreCase(text))
                .findAny()
                .orElseThrow(
                        () ->
                                new TypeConversionException(
                                        "'%s'; allowed: %s"
                                                .formatted(
                                                        text,
                                                        Arrays.stream(constants)
                                                                .map(E::toString)
                                                                .collect(joining(", ")))));
    }
}
