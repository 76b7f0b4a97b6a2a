// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import io.flinkmoe.column.Column;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.TypedValues;
import io.flinkmoe.column.TypedValuesBuilder;
import io.flinkmoe.schemas.InputSink;
import org.apache.flink.annotation.Internal;

/** Converts the inputs of an Avro token to the types of the model's input columns. */
@Internal
final class InputColumns implements InputSink {

    private static final int UNKNOWN = -1;

    private final InputLayout inputs;
    private final TypedValuesBuilder builder;
    private int column = UNKNOWN;
    private boolean inVector;
    private int next; // of the values of a vector

    InputColumns(InputLayout inputs) {
        this.inputs = inputs;
        this.builder = new TypedValuesBuilder(inputs);
    }

    /** Returns the values of the token. */
    TypedValues take() {
        return builder.build();
    }

    @Override
    public void start() {
        builder.clear();
    }

    @Override
    public void column(String name) {
        column = inputs.columns().indexOf(name);
        inVector = false;
        next = 0;
        if (column == UNKNOWN) {
            builder.set(name, null); // is a problem of the token
        }
    }

    @Override
    public void startVector() {
        inVector = true;
    }

    @Override
    public void endVector() {
        if (column != UNKNOWN) {
            builder.requireLength(column, next);
        }
    }

    /** Whether the column can have the next value; the others are only counted. */
    private boolean isWanted() {
        if (column == UNKNOWN) {
            return false;
        }
        Column spec = inputs.columns().columns().get(column);
        if (!inVector
                && spec.width() != null
                && !builder.requireLength(column, TypedValuesBuilder.NO_VECTOR)) {
            return false;
        }
        next++;
        return next <= spec.count();
    }

    @Override
    public void missing() {
        if (column != UNKNOWN && !inVector) {
            builder.set(column, null);
        } else if (isWanted()) {
            builder.setNull(column, next - 1);
        }
    }

    @Override
    public void flag(boolean value) {
        if (isWanted()) {
            builder.setBoolean(column, next - 1, value);
        }
    }

    @Override
    public void whole(long value) {
        if (isWanted()) {
            builder.setLong(column, next - 1, value);
        }
    }

    @Override
    public void real(double value) {
        if (isWanted()) {
            builder.setDouble(column, next - 1, value);
        }
    }

    @Override
    public void text(String value) {
        if (isWanted()) {
            builder.setString(column, next - 1, value);
        }
    }
}
