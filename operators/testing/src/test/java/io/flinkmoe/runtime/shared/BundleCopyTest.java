// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.Device;
import io.flinkmoe.testing.NumberedBundle;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.util.FileUtils;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The life of the copies of remote bundles. */
class BundleCopyTest {

    private static final Path TEMP = Path.of(System.getProperty("java.io.tmpdir"));
    private static final String EXPERT = "layers/0/experts/2.onnx";

    @TempDir private Path directory;

    private final JobInProcess job = new JobInProcess();
    private Bundle original;
    private LocalBundle remote;
    private final Set<String> prefixes = new HashSet<>(Set.of(BundleCopy.OWN_PREFIX));

    @BeforeEach
    void writeBundle() {
        original = NumberedBundle.write(directory.resolve("bundle"), 3, 2, 1);
        remote = new LocalBundle("remote://" + original.directory(), original.spec().version());
    }

    @AfterEach
    void leave() {
        job.leave();
        assertThat(copies()).as("copies after the job").isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {EXPERT, "model.json"})
    void noneRemainsOfABundleThatFailsItsCheck(String file) throws Exception {
        Files.writeString(original.file(file), "{}");

        assertFailsAndLeavesNothing(remote, "its copy on local disk is not valid", file);
    }

    @Test
    void noneRemainsOfABundleWhoseVersionChanged() {
        LocalBundle other = new LocalBundle(remote.location(), "000000000000");

        assertFailsAndLeavesNothing(other, "remote:" + original.directory() + ": now has version");
    }

    @Test
    void noneRemainsOfACopyThatFailsHalfway() throws Exception {
        Files.delete(original.file(EXPERT));
        Files.createSymbolicLink(original.file(EXPERT), directory.resolve("nowhere"));

        assertFailsAndLeavesNothing(remote, "cannot be read");
    }

    @Test
    void noneRemainsOfATaskThatIsCancelledWhileItOpens() {
        Thread.currentThread().interrupt();
        try {
            assertThatThrownBy(() -> remote.open(job.context()))
                    .isInstanceOf(BundleException.class);
        } finally {
            assertThat(Thread.interrupted()).isTrue();
        }
        assertThat(copies()).isEmpty();
    }

    /** Whether the interrupt comes in time for the copy, for the check, or too late. */
    @Test
    void noneRemainsWheneverTheTaskIsCancelled() throws Exception {
        for (int micros = 0; micros < 20_000; micros += 500) {
            Thread task = new Thread(this::openUntilCancelled);
            task.start();
            TimeUnit.MICROSECONDS.sleep(micros);
            task.interrupt();
            task.join();
            job.leave();
            assertThat(copies()).isEmpty();
        }
    }

    private void openUntilCancelled() {
        try {
            remote.open(job.context());
        } catch (BundleException e) {
            assertThat(e).hasMessageContaining(original.directory().toString());
        }
    }

    @Test
    void noneRemainsOfABundleThatWasReadForABuild() throws Exception {
        try (LocalBundle.Lease lease = new LocalBundle(remote.location(), null).lease()) {
            assertThat(lease.bundle().spec()).isEqualTo(original.spec());
            assertThat(lease.bundle().file(EXPERT)).exists();
            assertThat(copies()).hasSize(1);
        }
        assertThat(copies()).isEmpty();
    }

    @Test
    void theNamesOfFailedCopiesAreUsedAgain() throws Exception {
        Path first = copyOf(remote.open(job.context()));
        job.leave();

        assertThat(copyOf(remote.open(job.context()))).isEqualTo(first);
    }

    @Test
    void onlyTheOwnerCanReadIt() throws Exception {
        Path copy = copyOf(remote.open(job.context()));

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(copy)))
                .isEqualTo("rwx------");
    }

    @ParameterizedTest
    @ValueSource(strings = {"truncated", "deleted", "touched"})
    void isCheckedAgainAfterAFileHasChanged(String damage) throws Exception {
        Bundle opened = remote.open(job.context());
        Path file = opened.file(EXPERT);
        switch (damage) {
            case "truncated" -> Files.write(file, new byte[10]);
            case "deleted" -> Files.delete(file);
            default -> Files.setLastModifiedTime(file, FileTime.fromMillis(0));
        }

        Bundle again = remote.open(job.context());

        assertThat(again).isNotSameAs(opened);
        assertThat(again.file(EXPERT)).hasSameBinaryContentAs(original.file(EXPERT));
        assertThat(remote.open(job.context())).isSameAs(again);
        assertThat(copies()).hasSize(1);
    }

    @Test
    void isCheckedAgainAfterAModelCouldNotBeOpened() throws Exception {
        Bundle opened = remote.open(job.context());
        damageUnnoticed(opened.file(EXPERT));
        assertThat(remote.open(job.context())).as("a damage that no one notices").isSameAs(opened);

        try (BundleSessions sessions = remote.sessions(job.context(), Device.CPU)) {
            assertThatThrownBy(() -> sessions.expert(0, 2))
                    .isInstanceOf(BundleException.class)
                    .hasMessageContaining("ONNX Runtime cannot open it");
        }

        try (BundleSessions sessions = remote.sessions(job.context(), Device.CPU)) {
            assertThat(sessions.expert(0, 2).inputWidth()).isEqualTo(3);
        }
        assertThat(copies()).hasSize(1);
    }

    @Test
    void aBundleThatNeedsNoCopyIsCheckedAgainToo() throws Exception {
        LocalBundle inPlace =
                new LocalBundle(original.directory().toString(), original.spec().version());
        inPlace.open(job.context());
        damageUnnoticed(original.file(EXPERT));
        try (BundleSessions sessions = inPlace.sessions(job.context(), Device.CPU)) {
            assertThatThrownBy(() -> sessions.expert(0, 2)).isInstanceOf(BundleException.class);
        }

        assertThatThrownBy(() -> inPlace.open(job.context()))
                .isInstanceOf(BundleException.class)
                .hasMessageStartingWith(original.file(EXPERT) + ": its SHA-256 is");
        assertThat(original.directory()).exists();
    }

    /** Changes bytes; size and time stay. */
    private static void damageUnnoticed(Path file) throws IOException {
        FileTime time = Files.getLastModifiedTime(file);
        byte[] bytes = Files.readAllBytes(file);
        Arrays.fill(bytes, (byte) 0xff);
        Files.write(file, bytes);
        Files.setLastModifiedTime(file, time);
    }

    @Test
    void isSweptWhenItsProcessHasEnded() throws Exception {
        Process owner = anotherProcessWithACopy();
        try {
            Set<Path> foreign = copies();
            assertThat(foreign).hasSize(1);
            sweep();
            assertThat(copies()).as("copies of a running process").isEqualTo(foreign);
        } finally {
            owner.destroyForcibly().waitFor();
        }
        assertThat(copies()).hasSize(1);
        sweep();
        assertThat(copies()).isEmpty();
    }

    /** Making a copy sweeps. */
    private void sweep() throws IOException {
        remote.lease().close();
    }

    @Test
    void whatHasNoLockIsNotSwept() throws Exception {
        Path justCreated = Files.createDirectory(TEMP.resolve(BundleCopy.PREFIX + "1-1-0"));
        try {
            sweep();
            assertThat(justCreated).exists();
        } finally {
            FileUtils.deleteDirectory(justCreated.toFile());
        }
    }

    private Process anotherProcessWithACopy() throws IOException {
        ProcessBuilder builder =
                new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Djava.io.tmpdir=" + TEMP,
                        "-cp",
                        System.getProperty("java.class.path"),
                        CopyHolder.class.getName(),
                        remote.location());
        Process process = builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
        BufferedReader lines = process.inputReader();
        String line = lines.readLine();
        while (line != null && !line.equals(CopyHolder.READY)) {
            line = lines.readLine();
        }
        assertThat(line).isEqualTo(CopyHolder.READY);
        prefixes.add(BundleCopy.PREFIX + process.pid() + "-");
        return process;
    }

    /** A process that makes a copy and does not end. */
    static final class CopyHolder {

        static final String READY = "the copy is made";

        private CopyHolder() {}

        public static void main(String[] args) throws Exception {
            try (LocalBundle.Lease lease = new LocalBundle(args[0], null).lease()) {
                System.out.println(lease.bundle() == null ? "none" : READY);
                Thread.sleep(120_000);
            }
        }
    }

    private void assertFailsAndLeavesNothing(LocalBundle bundle, String... message) {
        assertThatThrownBy(() -> bundle.open(job.context()))
                .isInstanceOf(BundleException.class)
                .hasMessageContainingAll(message);
        assertThatThrownBy(bundle::lease).isInstanceOf(BundleException.class);
        assertThat(copies()).isEmpty();
    }

    private static Path copyOf(Bundle bundle) {
        return bundle.directory().getParent();
    }

    /** The copies of this process and of those that this test has started. */
    private Set<Path> copies() {
        try (Stream<Path> files = Files.list(TEMP)) {
            return files.filter(
                            f -> prefixes.stream().anyMatch(f.getFileName().toString()::startsWith))
                    .collect(Collectors.toSet());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
