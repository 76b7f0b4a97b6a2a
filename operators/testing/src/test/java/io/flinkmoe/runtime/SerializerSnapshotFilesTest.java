// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import io.flinkmoe.runtime.SerializersTest.Case;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The snapshot of every serializer, and the records of {@link SerializersTest} as it wrote them,
 * from files: those of a savepoint that an earlier build has taken.
 */
class SerializerSnapshotFilesTest {

    /** Larger records are only larger. */
    private static final int MAX_RECORD_BYTES = 4096;

    static Stream<Case> cases() {
        return SerializersTest.cases();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void restoreWhatAnEarlierBuildWrote(Case test) throws Exception {
        Path file = file(test.serializer().getClass().getName());
        if (SnapshotFiles.WRITE) {
            Files.createDirectories(file.getParent());
            Files.write(file, write(test.serializer(), test.records()));
        }
        restore(test.serializer(), test.records(), Files.readAllBytes(file));
    }

    @Test
    void thereIsAFileOfEverySerializer() {
        List<JavaClass> serializers =
                new ClassFileImporter()
                                .withImportOption(new ImportOption.DoNotIncludeTests())
                                .importPackages("io.flinkmoe")
                                .stream()
                                .filter(type -> type.isAssignableTo(TypeSerializer.class))
                                .filter(
                                        type ->
                                                !type.getModifiers()
                                                        .contains(JavaModifier.ABSTRACT))
                                .toList();
        assertThat(serializers).hasSizeGreaterThan(10);
        assertThat(serializers)
                .as("serializers without a case in SerializersTest")
                .filteredOn(type -> cases().noneMatch(test -> isOf(test, type)))
                .isEmpty();
        if (SnapshotFiles.WRITE) {
            return; // They are being written, by the other tests.
        }
        assertThat(serializers)
                .as(SnapshotFiles.REMEDY)
                .allSatisfy(type -> assertThat(file(type.getName())).exists());
    }

    private static boolean isOf(Case test, JavaClass type) {
        return test.serializer().getClass().getName().equals(type.getName());
    }

    private static Path file(String serializer) {
        return SnapshotFiles.file(
                serializer.substring(serializer.lastIndexOf('.') + 1).replace('$', '.')
                        + ".snapshot");
    }

    private static List<?> small(TypeSerializer<?> serializer, List<?> records) throws Exception {
        List<Object> small = new ArrayList<>();
        for (Object record : records) {
            if (SerializersTest.bytes(serializer, record).length <= MAX_RECORD_BYTES) {
                small.add(record);
            }
        }
        return small;
    }

    private static byte[] write(TypeSerializer<?> serializer, List<?> records) throws Exception {
        DataOutputSerializer out = new DataOutputSerializer(64);
        TypeSerializerSnapshot.writeVersionedSnapshot(out, serializer.snapshotConfiguration());
        List<?> small = small(serializer, records);
        out.writeInt(small.size());
        for (Object record : small) {
            out.write(SerializersTest.bytes(serializer, record));
        }
        return out.getCopyOfBuffer();
    }

    private static <T> void restore(TypeSerializer<T> serializer, List<?> records, byte[] file)
            throws Exception {
        DataInputDeserializer in = new DataInputDeserializer(file);
        TypeSerializerSnapshot<T> snapshot =
                TypeSerializerSnapshot.readVersionedSnapshot(
                        in, SerializerSnapshotFilesTest.class.getClassLoader());
        assertThat(
                        serializer
                                .snapshotConfiguration()
                                .resolveSchemaCompatibility(snapshot)
                                .isIncompatible())
                .as(SnapshotFiles.REMEDY)
                .isFalse();
        // As after a migration: read by the serializer of then.
        TypeSerializer<T> earlier = snapshot.restoreSerializer();
        List<?> expected = small(serializer, records);
        assertThat(in.readInt()).as(SnapshotFiles.REMEDY).isEqualTo(expected.size());
        for (Object record : expected) {
            SerializersTest.assertSame(read(earlier, in), record);
        }
        assertThat(in.available()).as(SnapshotFiles.REMEDY).isZero();
    }

    private static <T> T read(TypeSerializer<T> serializer, DataInputDeserializer in) {
        try {
            return serializer.deserialize(in);
        } catch (IOException | RuntimeException e) {
            throw new AssertionError(SnapshotFiles.REMEDY, e);
        }
    }
}
