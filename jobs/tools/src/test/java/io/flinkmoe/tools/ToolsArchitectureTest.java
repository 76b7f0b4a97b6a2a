// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static java.util.stream.Collectors.counting;
import static java.util.stream.Collectors.groupingBy;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Experimental;
import org.apache.flink.annotation.Internal;
import org.junit.jupiter.api.Test;

/** Commands know what they share, and no other command. */
class ToolsArchitectureTest {

    private static final JavaClasses CLASSES =
            new ClassFileImporter()
                    .withImportOption(new ImportOption.DoNotIncludeTests())
                    .importPackages("io.flinkmoe.tools");

    /** Packages of a command; the local cluster is a command that others use, too. */
    private static final List<String> COMMANDS =
            List.of(
                    "bench", "demo", "drill", "explain", "fuzz", "gpu", "model", "options",
                    "score");

    private static final int MOST_CLASSES = 25;

    @Test
    void packagesFormNoCycles() {
        slices().matching("io.flinkmoe.tools.(**)").should().beFreeOfCycles().check(CLASSES);
    }

    @Test
    void nothingKnowsOfTheProgram() {
        noClasses()
                .that()
                .resideInAPackage("io.flinkmoe.tools.*..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("io.flinkmoe.tools")
                .check(CLASSES);
    }

    @Test
    void onlyTheProgramAndTheCommandItselfKnowOfACommand() {
        for (String command : COMMANDS) {
            String name = "io.flinkmoe.tools." + command + "..";
            noClasses()
                    .that()
                    .resideOutsideOfPackages(name, "io.flinkmoe.tools")
                    .should()
                    .dependOnClassesThat()
                    .resideInAPackage(name)
                    .check(CLASSES);
        }
    }

    /** deploy/gpu-check starts with the jars of the library, of ONNX Runtime and of picocli. */
    @Test
    void theCheckOfGpusRunsWithoutFlinkAndKafka() {
        noClasses()
                .that()
                .resideInAPackage("io.flinkmoe.tools.gpu")
                .should()
                .dependOnClassesThat(
                        resideInAnyPackage("io.flinkmoe.tools..", "io.flinkmoe.scoring..")
                                .and(not(resideInAPackage("io.flinkmoe.tools.gpu"))))
                .orShould()
                .dependOnClassesThat(
                        resideInAnyPackage("org.apache.flink..", "org.apache.kafka..")
                                .and(not(resideInAPackage("org.apache.flink.annotation"))))
                .check(CLASSES);
    }

    @Test
    void everyClassSaysHowStableItIs() {
        classes()
                .that()
                .areTopLevelClasses()
                .and()
                .doNotHaveSimpleName("package-info")
                .should()
                .beAnnotatedWith(Internal.class)
                .orShould()
                .beAnnotatedWith(Experimental.class)
                .check(CLASSES);
    }

    @Test
    void noPackageIsLarge() {
        Map<String, Long> classes =
                CLASSES.stream()
                        .filter(JavaClass::isTopLevelClass)
                        .collect(groupingBy(JavaClass::getPackageName, counting()));

        assertThat(classes).isNotEmpty();
        assertThat(classes.values()).allMatch(count -> count <= MOST_CLASSES);
    }
}
