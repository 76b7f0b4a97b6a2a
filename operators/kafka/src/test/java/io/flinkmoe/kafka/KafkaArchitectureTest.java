// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.apache.flink.annotation.Internal;
import org.apache.flink.annotation.PublicEvolving;
import org.junit.jupiter.api.Test;

/** What the module may import of ours, and what it promises. */
class KafkaArchitectureTest {

    private static final JavaClasses CLASSES =
            new ClassFileImporter()
                    .withImportOption(new ImportOption.DoNotIncludeTests())
                    .importPackages("io.flinkmoe.kafka");

    /** The wire records, and of the library what users see. */
    private static final String[] ALLOWED = {
        "io.flinkmoe.kafka..",
        "io.flinkmoe.schemas",
        "io.flinkmoe.api",
        "io.flinkmoe.column",
        "io.flinkmoe.capacity"
    };

    @Test
    void importsTheWireRecordsAndThePublicPartOfTheLibraryOnly() {
        noClasses()
                .should()
                .dependOnClassesThat(
                        resideInAPackage("io.flinkmoe..").and(not(resideInAnyPackage(ALLOWED))))
                .check(CLASSES);
    }

    @Test
    void everythingPublicStatesItsStability() {
        classes()
                .that()
                .areTopLevelClasses()
                .and()
                .doNotHaveSimpleName("package-info")
                .should()
                .beAnnotatedWith(PublicEvolving.class)
                .orShould()
                .beAnnotatedWith(Internal.class)
                .check(CLASSES);
        classes()
                .that()
                .areAnnotatedWith(PublicEvolving.class)
                .and()
                .areTopLevelClasses()
                .should()
                .bePublic()
                .check(CLASSES);
    }
}
