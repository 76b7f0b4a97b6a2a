package io.flinkmoe;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.type;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import ai.onnxruntime.OrtException;
import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.List;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What may know of what. */
class ArchitectureTest {

    private static final JavaClasses CLASSES =
            new ClassFileImporter()
                    .withImportOption(new ImportOption.DoNotIncludeTests())
                    .importPackages("io.flinkmoe");

    private static final List<String> BOTTOM_UP =
            List.of("tensor", "routing", "capacity", "model", "onnx", "reference");

    @ParameterizedTest
    @ValueSource(
            strings = {"tensor", "routing", "capacity", "model", "onnx", "reference", "stream"})
    void findsThePackage(String name) {
        assertThat(CLASSES.that(resideInAPackage(ours(name)))).isNotEmpty();
    }

    @Test
    void lowerPackagesKnowNothingOfHigherOnes() {
        for (int i = 0; i < BOTTOM_UP.size(); i++) {
            List<String> higher = BOTTOM_UP.subList(i + 1, BOTTOM_UP.size());
            for (String above : higher) {
                independent(BOTTOM_UP.get(i), above);
            }
            independent(BOTTOM_UP.get(i), "stream");
        }
        independent("stream", "reference");
    }

    @Test
    void routingDoesNotUseItsStatistics() {
        noClasses()
                .that()
                .resideInAPackage("io.flinkmoe.routing")
                .should()
                .dependOnClassesThat()
                .resideInAPackage(ours("routing.health"))
                .check(CLASSES);
    }

    @Test
    void nothingKnowsOfTheFrontDoor() {
        noClasses()
                .that()
                .resideOutsideOfPackage("io.flinkmoe")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("io.flinkmoe")
                .check(CLASSES);
    }

    @Test
    void onlyTheStreamPackageAndTheFrontDoorKnowOfFlink() {
        noClasses()
                .that()
                .resideInAnyPackage(
                        BOTTOM_UP.stream().map(ArchitectureTest::ours).toArray(String[]::new))
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.apache.flink..")
                .check(CLASSES);
    }

    @Test
    void onlyTheOnnxPackageTouchesOnnxRuntimeAndOthersOnlyItsException() {
        noClasses()
                .that()
                .resideOutsideOfPackages(ours("onnx"), ours("stream"), ours("reference"))
                .should()
                .dependOnClassesThat()
                .resideInAPackage("ai.onnxruntime..")
                .check(CLASSES);
        noClasses()
                .that()
                .resideInAnyPackage(ours("stream"), ours("reference"))
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
                        "Expert",
                        "ExpertCalls",
                        "Combine",
                        "GateWeightedSum",
                        "DirectRows",
                        "Dispatcher",
                        "TopK",
                        "TopKRouter");
        assertThat(CLASSES)
                .extracting(JavaClass::getSimpleName)
                .as("the classes of the hot path have these names")
                .containsAll(hotPath);
        // Flink gives the keys of a state as a stream; the combine asks once, when it opens.
        assertThat(CLASSES)
                .filteredOn(type -> hotPath.contains(outermost(type).getSimpleName()))
                .flatExtracting(JavaClass::getDirectDependenciesFromSelf)
                .filteredOn(d -> d.getTargetClass().getPackageName().equals("java.util.stream"))
                .extracting(Dependency::getDescription)
                .filteredOn(description -> !description.contains("Combine.waiting("))
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

    private static void independent(String lower, String higher) {
        noClasses()
                .that()
                .resideInAPackage(ours(lower))
                .should()
                .dependOnClassesThat()
                .resideInAPackage(ours(higher))
                .check(CLASSES);
    }

    private static String ours(String name) {
        return "io.flinkmoe." + name + "..";
    }
}
