// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.testing.NumberedBundle;
import java.nio.file.Path;
import org.apache.flink.util.FileUtils;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LocalBundleTest {

    @TempDir private Path directory;
    private Bundle written;

    @BeforeEach
    void writeBundle() {
        written = NumberedBundle.write(directory.resolve("bundle"), 3, 2, 1);
    }

    @Test
    void opensAPath() throws Exception {
        Bundle bundle = open(new LocalBundle(location(), null));
        assertThat(bundle.directory()).isEqualTo(written.directory());
        assertThat(bundle.spec()).isEqualTo(written.spec());
    }

    @Test
    void opensAFileUri() throws Exception {
        Bundle bundle = open(new LocalBundle("file://" + location(), version()));
        assertThat(bundle.directory()).isEqualTo(written.directory());
        assertThat(bundle.spec()).isEqualTo(written.spec());
    }

    @Test
    void copiesARemoteOneUntilTheLastJobThatUsesItLeavesTheProcess() throws Exception {
        LocalBundle location = new LocalBundle("remote://" + location(), version());
        JobInProcess first = new JobInProcess();
        JobInProcess second = new JobInProcess();

        Bundle bundle = location.open(first.context());
        assertThat(bundle.directory()).isNotEqualTo(written.directory());
        assertThat(bundle.file("layers/0/experts/2.onnx")).exists();
        assertThat(bundle.spec()).isEqualTo(written.spec());
        assertThat(location.open(second.context())).isSameAs(bundle);

        first.leave();
        assertThat(location.open(second.context())).isSameAs(bundle);
        second.leave();
        assertThat(bundle.directory()).doesNotExist();
        assertThat(location.open(first.context()).directory()).exists();
        first.leave();
    }

    @Test
    void opensAVersionOncePerProcess() throws Exception {
        LocalBundle bundle = new LocalBundle(location(), version());
        LocalBundle shipped = InstantiationUtil.clone(bundle);
        assertThat(shipped).isEqualTo(bundle);
        assertThat(open(shipped)).isSameAs(open(bundle));
    }

    @Test
    void refusesAVersionThatTheJobWasNotBuiltFor() {
        LocalBundle bundle = new LocalBundle(location(), "000000000000");
        assertThatThrownBy(() -> open(bundle))
                .isInstanceOf(BundleException.class)
                .hasMessage(
                        "%s: now has version %s, but the job was built for version 000000000000."
                                + " Keep each version in its own directory, or submit the job"
                                + " again",
                        location(), version());
    }

    @Test
    void refusesABundleThatWasReplacedAfterItWasOpened() throws Exception {
        LocalBundle bundle = new LocalBundle(location(), version());
        open(bundle);
        FileUtils.deleteDirectory(written.directory().toFile());
        Bundle other = NumberedBundle.write(directory.resolve("bundle"), 4, 2, 1);
        assertThatThrownBy(() -> open(bundle))
                .isInstanceOf(BundleException.class)
                .hasMessageContaining("now has version %s", other.spec().version());
        assertThat(open(new LocalBundle(location(), null)).spec()).isEqualTo(other.spec());
    }

    @Test
    void refusesABundleThatWasRemovedAfterItWasOpened() throws Exception {
        LocalBundle bundle = new LocalBundle(location(), version());
        open(bundle);
        FileUtils.deleteDirectory(written.directory().toFile());
        assertThatThrownBy(() -> open(bundle))
                .isInstanceOf(BundleException.class)
                .hasMessageContaining("there is no such directory");
    }

    @Test
    void refusesADirectoryThatIsMissing() {
        LocalBundle bundle = new LocalBundle(location() + "-missing", null);
        assertThatThrownBy(() -> open(bundle))
                .isInstanceOf(BundleException.class)
                .hasMessageStartingWith(location() + "-missing: there is no such directory");
    }

    @Test
    void refusesAFileSystemThatFlinkDoesNotKnow() {
        assertThatThrownBy(() -> open(new LocalBundle("nowhere://host/bundle", null)))
                .isInstanceOf(BundleException.class)
                .hasMessageContaining("cannot be read")
                .hasMessageContaining("'nowhere'");
    }

    private static Bundle open(LocalBundle bundle) throws BundleException {
        return bundle.open(new JobInProcess().context());
    }

    private String location() {
        return written.directory().toString();
    }

    private String version() {
        return written.spec().version();
    }
}
