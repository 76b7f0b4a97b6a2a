// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A browser without a window, from {@code $CHROMIUM} or the path. */
final class Chromium {

    private static final List<String> NAMES =
            List.of("chromium", "chromium-browser", "google-chrome", "google-chrome-stable");

    private static final long TIMEOUT_SECONDS = 90;

    private final Path program;
    private final Path folder;

    private Chromium(Path program, Path folder) {
        this.program = program;
        this.folder = folder;
    }

    /**
     * @param folder for its files
     */
    static Optional<Chromium> find(Path folder) {
        String given = System.getenv("CHROMIUM");
        Stream<Path> programs =
                given != null && !given.isEmpty()
                        ? Stream.of(Path.of(given))
                        : NAMES.stream()
                                .flatMap(
                                        name ->
                                                Arrays.stream(
                                                                System.getenv("PATH")
                                                                        .split(File.pathSeparator))
                                                        .map(path -> Path.of(path, name)))
                                .filter(Files::isExecutable);
        return programs.findFirst().map(program -> new Chromium(program, folder));
    }

    /** The page as it is after its scripts ran. */
    String dom(Path page, int width, int height) throws IOException, InterruptedException {
        return Files.readString(run(page, width, height, "--dump-dom"));
    }

    /** Writes a picture of the page's upper left. */
    void screenshot(Path page, int width, int height, Path png)
            throws IOException, InterruptedException {
        run(page, width, height, "--screenshot=" + png);
    }

    private Path run(Path page, int width, int height, String action)
            throws IOException, InterruptedException {
        Path out = Files.createTempFile(folder, "chromium-", ".out");
        Path log = Files.createTempFile(folder, "chromium-", ".log");
        List<String> command = new ArrayList<>(List.of(program.toString()));
        command.addAll(
                List.of(
                        "--headless",
                        "--no-sandbox",
                        "--disable-gpu",
                        "--disable-quic",
                        "--no-first-run",
                        "--disable-background-networking",
                        "--disable-component-update",
                        "--disable-sync",
                        "--disable-dev-shm-usage",
                        "--hide-scrollbars",
                        "--force-device-scale-factor=1",
                        "--user-data-dir=" + Files.createTempDirectory(folder, "chromium-"),
                        "--window-size=" + width + "," + height,
                        action,
                        page.toUri().toString()));
        Process process =
                new ProcessBuilder(command)
                        .redirectOutput(out.toFile())
                        .redirectError(log.toFile())
                        .start();
        try {
            if (!process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS) || process.exitValue() != 0) {
                throw new IOException(program + " failed:\n" + Files.readString(log));
            }
        } finally {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
        return out;
    }
}
