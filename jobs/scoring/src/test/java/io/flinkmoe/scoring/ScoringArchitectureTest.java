// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.apache.flink.annotation.Experimental;
import org.apache.flink.annotation.Internal;
import org.apache.flink.annotation.PublicEvolving;
import org.junit.jupiter.api.Test;

/**
 * What the job may import of ours; its command line knows the job, the job not its command line.
 */
class ScoringArchitectureTest {

    private static final JavaClasses CLASSES =
            new ClassFileImporter()
                    .withImportOption(new ImportOption.DoNotIncludeTests())
                    .importPackages("io.flinkmoe.scoring");

    /** The wire records, the formats, and of the library what users see and what sizes a job. */
    private static final String[] ALLOWED = {
        "io.flinkmoe.scoring..",
        "io.flinkmoe.kafka..",
        "io.flinkmoe.schemas",
        "io.flinkmoe",
        "io.flinkmoe.api",
        "io.flinkmoe.config",
        "io.flinkmoe.runtime.shared", // Which subtask runs which expert.
        "io.flinkmoe.capacity",
        "io.flinkmoe.column",
        "io.flinkmoe.model",
        "io.flinkmoe.routing"
    };

    @Test
    void importsThePublicPartOfTheLibraryOnly() {
        noClasses()
                .should()
                .dependOnClassesThat(
                        resideInAPackage("io.flinkmoe..").and(not(resideInAnyPackage(ALLOWED))))
                .check(CLASSES);
    }

    @Test
    void theJobKnowsNothingOfItsCommandLine() {
        noClasses()
                .that()
                .resideInAPackage("io.flinkmoe.scoring")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("io.flinkmoe.scoring.cli..", "picocli..")
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
                .orShould()
                .beAnnotatedWith(PublicEvolving.class)
                .check(CLASSES);
    }
}
