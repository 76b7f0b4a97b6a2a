// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools;

import java.nio.file.Path;

/** The project's root, as seen from the folder that this module's tests run in. */
public final class Home {

    public static final Path ROOT = Path.of("").toAbsolutePath().getParent().getParent();
    public static final Path FLIGHTS = ROOT.resolve("deploy/demo/flights");
    public static final Path DELAY = ROOT.resolve("deploy/demo/delay");

    private Home() {}
}
