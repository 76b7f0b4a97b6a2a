// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import org.apache.flink.annotation.Experimental;
import org.apache.flink.annotation.Internal;
import org.apache.flink.annotation.PublicEvolving;
import org.junit.jupiter.api.Test;

class TestingArchitectureTest {

    private static final JavaClasses CLASSES =
            new ClassFileImporter()
                    .withImportOption(new ImportOption.DoNotIncludeTests())
                    .importPackages("io.flinkmoe.testing");

    @Test
    void userTestsNeedNoKafkaAndNoReference() {
        noClasses()
                .should()
                .dependOnClassesThat(
                        resideInAPackage("io.flinkmoe.kafka..")
                                .or(resideInAPackage("io.flinkmoe.schemas.."))
                                .or(resideInAPackage("io.flinkmoe.reference.."))
                                .or(resideInAPackage("io.flinkmoe.model.huggingface.."))
                                .or(resideInAPackage("org.apache.kafka..")))
                .check(CLASSES);
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

    private static JavaClass outermost(JavaClass type) {
        return type.getEnclosingClass().map(TestingArchitectureTest::outermost).orElse(type);
    }
}
