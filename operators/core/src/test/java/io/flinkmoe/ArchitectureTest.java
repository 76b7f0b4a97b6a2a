// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.type;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static java.util.stream.Collectors.counting;
import static java.util.stream.Collectors.groupingBy;
import static org.assertj.core.api.Assertions.assertThat;

import ai.onnxruntime.OrtException;
import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import java.util.List;
import java.util.Map;
import java.util.stream.StreamSupport;
import org.apache.flink.annotation.Experimental;
import org.apache.flink.annotation.Internal;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.junit.jupiter.api.Test;

/** What may know of what. */
class ArchitectureTest {

    private static final JavaClasses CLASSES =
            new ClassFileImporter()
                    .withImportOption(new ImportOption.DoNotIncludeTests())
                    .importPackages("io.flinkmoe");

    /** From the bottom to the top: a package may import only packages before it. */
    private static final List<String> BOTTOM_UP =
            List.of(
                    "tensor",
                    "column",
                    "routing",
                    "routing.health",
                    "capacity",
                    "model.graph",
                    "model.proto",
                    "model",
                    "model.packed",
                    "model.huggingface",
                    "model.parts",
                    "onnx",
                    "onnx.layer",
                    "onnx.check",
                    "serialization",
                    "api",
                    "config",
                    "reference",
                    "runtime.block",
                    "runtime.shared",
                    "runtime.slices",
                    "runtime.layer",
                    "runtime.ingest",
                    "runtime.router",
                    "runtime.admission",
                    "runtime.dispatch",
                    "runtime.expert",
                    "runtime.combine",
                    "runtime.head",
                    "runtime.replicated",
                    "runtime",
                    "");

    private static final List<String> OPERATORS =
            List.of(
                    "ingest",
                    "router",
                    "admission",
                    "dispatch",
                    "expert",
                    "combine",
                    "head",
                    "replicated");

    @Test
    void theListHasEveryPackage() {
        assertThat(CLASSES)
                .extracting(JavaClass::getPackageName)
                .containsOnly(
                        BOTTOM_UP.stream().map(ArchitectureTest::ours).toArray(String[]::new));
    }

    @Test
    void aPackageImportsOnlyLowerPackages() {
        for (int i = 0; i < BOTTOM_UP.size(); i++) {
            String[] higher =
                    BOTTOM_UP.subList(i + 1, BOTTOM_UP.size()).stream()
                            .map(ArchitectureTest::ours)
                            .toArray(String[]::new);
            if (higher.length > 0) {
                noClasses()
                        .that()
                        .resideInAPackage(ours(BOTTOM_UP.get(i)))
                        .should()
                        .dependOnClassesThat()
                        .resideInAnyPackage(higher)
                        .check(CLASSES);
            }
        }
    }

    @Test
    void productionNeverCallsTheReference() {
        noClasses()
                .that()
                .resideOutsideOfPackage("io.flinkmoe.reference")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("io.flinkmoe.reference")
                .check(CLASSES);
    }

    @Test
    void anOperatorsPackageImportsNoOtherOperatorsPackage() {
        for (String operator : OPERATORS) {
            String[] others =
                    OPERATORS.stream()
                            .filter(other -> !other.equals(operator))
                            .map(other -> ours("runtime." + other))
                            .toArray(String[]::new);
            noClasses()
                    .that()
                    .resideInAPackage(ours("runtime." + operator))
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(others)
                    .check(CLASSES);
        }
    }

    @Test
    void filesHaveNoCycles() {
        slices().assignedFrom(new ByFile()).should().beFreeOfCycles().check(CLASSES);
    }

    /** One slice per source file. */
    private static final class ByFile implements SliceAssignment {
        @Override
        public SliceIdentifier getIdentifierOf(JavaClass type) {
            return SliceIdentifier.of(outermost(type).getName());
        }

        @Override
        public String getDescription() {
            return "source files";
        }
    }

    @Test
    void everyTopLevelClassStatesItsStability() {
        classes()
                .that()
                .areTopLevelClasses()
                .and()
                .doNotHaveSimpleName("package-info")
                .should()
                .beAnnotatedWith(PublicEvolving.class)
                .orShould()
                .beAnnotatedWith(Experimental.class)
                .orShould()
                .beAnnotatedWith(Internal.class)
                .check(CLASSES);
    }

    @Test
    void noPackageHasMoreThan25Files() {
        Map<String, Long> files =
                StreamSupport.stream(CLASSES.spliterator(), false)
                        .filter(JavaClass::isTopLevelClass)
                        .collect(groupingBy(JavaClass::getPackageName, counting()));
        assertThat(files)
                .isNotEmpty()
                .allSatisfy((name, count) -> assertThat(count).isLessThan(26));
    }

    @Test
    void routingCapacityTensorModelAndReferenceKnowNothingOfFlinkButItsAnnotations() {
        noClasses()
                .that()
                .resideInAnyPackage(
                        "io.flinkmoe.tensor..",
                        "io.flinkmoe.routing..",
                        "io.flinkmoe.capacity..",
                        "io.flinkmoe.model..",
                        "io.flinkmoe.onnx..",
                        "io.flinkmoe.reference..")
                .should()
                .dependOnClassesThat(
                        resideInAPackage("org.apache.flink..")
                                .and(not(resideInAPackage("org.apache.flink.annotation"))))
                .check(CLASSES);
    }

    @Test
    void onlyTheOnnxPackageTouchesOnnxRuntimeAndOthersOnlyItsException() {
        noClasses()
                .that()
                .resideOutsideOfPackages(
                        "io.flinkmoe.onnx..", "io.flinkmoe.runtime..", "io.flinkmoe.reference..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("ai.onnxruntime..")
                .check(CLASSES);
        noClasses()
                .that()
                .resideOutsideOfPackage("io.flinkmoe.onnx..")
                .should()
                .dependOnClassesThat(
                        resideInAPackage("ai.onnxruntime..").and(not(type(OrtException.class))))
                .check(CLASSES);
    }

    @Test
    void theHotPathUsesNoJavaStreams() {
        List<String> hotPath =
                List.of(
                        "Ingest",
                        "Router",
                        "Admission",
                        "Decisions",
                        "Dispatch",
                        "Expert",
                        "ExpertCalls",
                        "Combine",
                        "GateWeightedSum",
                        "DirectRows",
                        "RowsByExpert",
                        "LaneProgress",
                        "TopK",
                        "TopKRouter");
        assertThat(CLASSES)
                .extracting(JavaClass::getSimpleName)
                .as("the classes of the hot path have these names")
                .containsAll(hotPath);
        assertThat(CLASSES)
                .filteredOn(type -> hotPath.contains(outermost(type).getSimpleName()))
                .flatExtracting(JavaClass::getDirectDependenciesFromSelf)
                .filteredOn(d -> d.getTargetClass().getPackageName().equals("java.util.stream"))
                .extracting(Dependency::getDescription)
                .isEmpty();
    }

    private static JavaClass outermost(JavaClass type) {
        return type.getEnclosingClass().map(ArchitectureTest::outermost).orElse(type);
    }

    @Test
    void everySerializerHasASnapshotOfOursThatRestoresIt() throws Exception {
        int serializers = 0;
        for (JavaClass type : CLASSES) {
            if (type.isAssignableTo(TypeSerializer.class)
                    && !type.getModifiers().contains(JavaModifier.ABSTRACT)) {
                serializers++;
                checkSnapshot(
                        (TypeSerializer<?>) type.reflect().getDeclaredConstructor().newInstance());
            }
        }
        assertThat(serializers).isGreaterThanOrEqualTo(12);
    }

    /** Flink finds a snapshot by its class name and makes it by its public constructor. */
    private static void checkSnapshot(TypeSerializer<?> serializer) throws Exception {
        TypeSerializerSnapshot<?> snapshot = serializer.snapshotConfiguration();
        assertThat(snapshot.getClass().getPackage())
                .as("the snapshot of %s", serializer.getClass())
                .isEqualTo(serializer.getClass().getPackage());
        TypeSerializerSnapshot<?> another = snapshot.getClass().getConstructor().newInstance();
        assertThat(another.restoreSerializer()).isEqualTo(serializer);
    }

    @Test
    void snapshotsArePublicSoThatFlinkCanMakeThem() {
        classes()
                .that()
                .areAssignableTo(TypeSerializerSnapshot.class)
                .should()
                .bePublic()
                .check(CLASSES);
    }

    private static String ours(String name) {
        return name.isEmpty() ? "io.flinkmoe" : "io.flinkmoe." + name;
    }
}
