// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.cli;

import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.util.EnvironmentInformation;
import picocli.CommandLine.IVersionProvider;

/** The versions of flink-moe, Flink and Java. */
@Internal
public final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
        String own = Version.class.getPackage().getImplementationVersion();
        return new String[] {
            "flink-moe " + (own == null ? "(not packaged)" : own),
            "Apache Flink " + EnvironmentInformation.getVersion(),
            "Java " + System.getProperty("java.version")
        };
    }
}
