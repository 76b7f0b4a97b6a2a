package io.flinkmoe.jobs;

import java.nio.file.Path;

/** The project's root, as seen from the folder that this module's tests run in. */
final class Home {

    static final Path ROOT = Path.of("").toAbsolutePath().getParent().getParent();
    static final Path FLIGHTS = ROOT.resolve("deploy/demo/flights");

    private Home() {}
}
