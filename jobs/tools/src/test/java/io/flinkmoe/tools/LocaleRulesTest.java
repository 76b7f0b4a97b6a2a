// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.AccessTarget.CodeUnitAccessTarget;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import java.text.DecimalFormat;
import java.text.MessageFormat;
import java.text.NumberFormat;
import java.text.SimpleDateFormat;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/**
 * No class of any module writes texts that programs read with the default locale: with a Turkish
 * one, the lower case of FIXED is fıxed. {@code formatted} and {@code printf} are allowed, because
 * they make texts for people.
 */
class LocaleRulesTest {

    private static final JavaClasses CLASSES =
            new ClassFileImporter()
                    .withImportOption(new ImportOption.DoNotIncludeTests())
                    .importPackages("io.flinkmoe");

    /** Methods that take the default locale, unless they are given one. */
    private static final Map<Class<?>, Set<String>> BY_DEFAULT_LOCALE =
            Map.of(
                    String.class, Set.of("toLowerCase", "toUpperCase", "format"),
                    DateTimeFormatter.class, Set.of("ofPattern"),
                    NumberFormat.class,
                            Set.of(
                                    "getInstance",
                                    "getNumberInstance",
                                    "getIntegerInstance",
                                    "getPercentInstance"),
                    DecimalFormat.class, Set.of("<init>"),
                    SimpleDateFormat.class, Set.of("<init>"),
                    MessageFormat.class, Set.of("<init>", "format"));

    private static final ArchRule RULE =
            noClasses()
                    .should()
                    .accessTargetWhere(
                            describe("the default locale is used", LocaleRulesTest::isByDefault))
                    .because("with some locales the text is another; pass Locale.ROOT");

    private static boolean isByDefault(JavaAccess<?> access) {
        return access.getTarget() instanceof CodeUnitAccessTarget target
                && BY_DEFAULT_LOCALE.entrySet().stream()
                        .anyMatch(
                                type ->
                                        target.getOwner().isEquivalentTo(type.getKey())
                                                && type.getValue().contains(target.getName()))
                && target.getRawParameterTypes().stream()
                        .noneMatch(parameter -> parameter.isEquivalentTo(Locale.class));
    }

    @Test
    void noModuleUsesTheDefaultLocaleForTextsThatProgramsRead() {
        RULE.check(CLASSES);
    }

    @Test
    void theRuleSeesTheClassesOfEveryModule() {
        assertThat(CLASSES)
                .extracting(JavaClass::getPackageName)
                .contains(
                        "io.flinkmoe.schemas",
                        "io.flinkmoe.model",
                        "io.flinkmoe.kafka",
                        "io.flinkmoe.testing",
                        "io.flinkmoe.scoring",
                        "io.flinkmoe.tools.score");
    }

    @Test
    void theRuleFindsCallsAndReferences() {
        for (Class<?> wrong : List.of(Call.class, Reference.class, Format.class)) {
            JavaClasses classes = new ClassFileImporter().importClasses(wrong);
            assertThat(RULE.evaluate(classes).hasViolation()).as(wrong.getName()).isTrue();
        }
        JavaClasses right = new ClassFileImporter().importClasses(WithLocale.class);
        assertThat(RULE.evaluate(right).hasViolation()).isFalse();
    }

    static final class Call {
        String lower(String text) {
            return text.toLowerCase();
        }
    }

    static final class Reference {
        final UnaryOperator<String> upper = String::toUpperCase;
    }

    static final class Format {
        String number(int n) {
            return String.format("%d", n);
        }
    }

    static final class WithLocale {
        String lower(String text) {
            return text.toLowerCase(Locale.ROOT);
        }
    }
}
