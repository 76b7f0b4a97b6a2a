// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.serialization;

import io.flinkmoe.column.Column;
import io.flinkmoe.column.ColumnLayout;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.TypedValues;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** Reads and writes {@link TypedValues} with their columns, because a record describes itself. */
@Internal
public final class TypedValuesWire {

    private static final ColumnType[] TYPES = ColumnType.values();
    private static final int NO_WIDTH = 0;

    private TypedValuesWire() {}

    /** Writes values; null if there are none. */
    public static void write(TypedValues values, DataOutputView out) throws IOException {
        if (values == null) {
            out.writeShort(0);
            return;
        }
        List<Column> columns = values.layout().columns();
        out.writeShort(columns.size());
        for (Column column : columns) {
            Wire.writeString(column.name(), out);
            out.writeByte(column.type().ordinal());
            out.writeInt(column.width() == null ? NO_WIDTH : column.width());
        }
        Wire.writeBytes(values.numbers(), out);
        Wire.writeStrings(values.strings(), out);
        out.writeBoolean(values.problem() != null);
        if (values.problem() != null) {
            Wire.writeString(values.problem(), out);
        }
    }

    /** Reads values; null if there are none. */
    public static TypedValues read(DataInputView in) throws IOException {
        int count = in.readUnsignedShort();
        if (count == 0) {
            return null;
        }
        List<Column> columns = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            String name = Wire.readString(in);
            ColumnType type = TYPES[in.readByte()];
            int width = in.readInt();
            columns.add(new Column(name, type, width == NO_WIDTH ? null : width));
        }
        ColumnLayout layout = new ColumnLayout(columns);
        byte[] numbers = Wire.readBytes(in);
        String[] strings = Wire.readStrings(in);
        return in.readBoolean()
                ? TypedValues.invalid(layout, numbers, strings, Wire.readString(in))
                : TypedValues.of(layout, numbers, strings);
    }
}
