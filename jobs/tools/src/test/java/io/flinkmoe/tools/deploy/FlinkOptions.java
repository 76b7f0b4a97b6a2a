// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.deploy;

import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.scoring.KafkaOptions;
import java.io.File;
import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.jar.JarFile;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExternalResourceOptions;
import org.apache.flink.configuration.MetricOptions;

/** All options of Flink on the class path, and our own, to check a configuration against. */
final class FlinkOptions {

    private static final Pattern OPTIONS_CLASS =
            Pattern.compile("org/apache/flink/(?!shaded/)[\\w/]+Options\\.class");

    /** Options whose keys have a name of the user's in them. */
    private static final Pattern REPORTER = Pattern.compile("metrics\\.reporter\\.\\w+\\.(.+)");

    private static final Pattern RESOURCE = Pattern.compile("external-resource\\.\\w+\\.(.+)");
    private static final Pattern ENVIRONMENT =
            Pattern.compile("containerized\\.(master|taskmanager)\\.env\\.\\w+");

    private static final Set<String> OF_REPORTERS =
            Set.of(
                    MetricOptions.REPORTER_FACTORY_CLASS.key(),
                    MetricOptions.REPORTER_INTERVAL.key(),
                    "port"); // of the Prometheus reporter

    private static final Set<String> OF_RESOURCES =
            Set.of(
                    ExternalResourceOptions.EXTERNAL_RESOURCE_AMOUNT_SUFFIX,
                    ExternalResourceOptions.EXTERNAL_RESOURCE_DRIVER_FACTORY_SUFFIX,
                    "kubernetes.config-key", // in flink-kubernetes
                    "param.discovery-script.path",
                    "param.discovery-script.args");

    private final Map<String, ConfigOption<?>> options = new HashMap<>();

    FlinkOptions() throws IOException {
        for (String jar : System.getProperty("java.class.path").split(File.pathSeparator)) {
            if (jar.matches(".*/flink-[^/]*[.]jar")) {
                try (JarFile file = new JarFile(jar)) {
                    file.stream()
                            .map(ZipEntry::getName)
                            .filter(name -> OPTIONS_CLASS.matcher(name).matches())
                            .forEach(this::addAll);
                }
            }
        }
        Stream.of(MoeOptions.class, KafkaOptions.class).forEach(this::addAll);
    }

    private void addAll(String classFile) {
        String name = classFile.substring(0, classFile.length() - ".class".length());
        try {
            addAll(Class.forName(name.replace('/', '.')));
        } catch (ClassNotFoundException | LinkageError e) {
            throw new IllegalStateException(e);
        }
    }

    private void addAll(Class<?> type) {
        for (Field field : type.getDeclaredFields()) {
            if (field.getType() == ConfigOption.class && Modifier.isStatic(field.getModifiers())) {
                field.setAccessible(true);
                try {
                    ConfigOption<?> option = (ConfigOption<?>) field.get(null);
                    options.put(option.key(), option);
                } catch (IllegalAccessException e) {
                    throw new IllegalStateException(e);
                }
            }
        }
    }

    /** Keys that are no option's, and values that their options cannot read. */
    List<String> errors(Map<String, String> values) {
        List<String> errors = new ArrayList<>();
        Configuration configuration = Configuration.fromMap(values);
        for (String key : values.keySet()) {
            ConfigOption<?> option = options.get(key);
            if (option == null && !isNamed(key)) {
                errors.add("no option: " + key);
            } else if (option != null) {
                try {
                    configuration.getOptional(option);
                } catch (RuntimeException e) {
                    errors.add(key + ": " + e.getMessage());
                }
            }
        }
        return errors;
    }

    private static boolean isNamed(String key) {
        return key.startsWith("kubernetes.operator.")
                || ENVIRONMENT.matcher(key).matches()
                || ends(REPORTER.matcher(key), OF_REPORTERS)
                || ends(RESOURCE.matcher(key), OF_RESOURCES);
    }

    private static boolean ends(Matcher key, Set<String> known) {
        return key.matches() && known.contains(key.group(1));
    }
}
