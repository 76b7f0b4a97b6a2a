// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.machine;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * The command of a JVM that this program starts, up to the options of the caller. The JVM has the
 * locale en-US and UTF-8, whatever the environment says: Kafka and other libraries write names in
 * upper or lower case with the default locale, and a Turkish one turns CLASSIC into CLASSİC.
 */
@Internal
public final class ChildJvm {

    private static final List<String> OPTIONS =
            List.of(
                    "-Duser.language=en",
                    "-Duser.country=US",
                    "-Duser.variant=",
                    "-Dfile.encoding=UTF-8");

    private ChildJvm() {}

    /** The program java of this JVM, with the locale and the encoding; the list can be extended. */
    public static List<String> command() {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(OPTIONS);
        for (String argument : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
            if (argument.startsWith("-XX:TieredStopAtLevel=")) {
                command.add(argument); // In tests, where the compiler would take most of the time.
            }
        }
        return command;
    }
}
