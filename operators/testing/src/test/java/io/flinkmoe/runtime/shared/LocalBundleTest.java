// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.testing.NumberedBundle;
import java.lang.reflect.Proxy;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import org.apache.flink.api.common.functions.RuntimeContext;
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
        Bundle bundle = new LocalBundle(location(), null).open();
        assertThat(bundle.directory()).isEqualTo(written.directory());
        assertThat(bundle.spec()).isEqualTo(written.spec());
    }

    @Test
    void opensAFileUri() throws Exception {
        Bundle bundle = new LocalBundle("file://" + location(), version()).open();
        assertThat(bundle.directory()).isEqualTo(written.directory());
        assertThat(bundle.spec()).isEqualTo(written.spec());
    }

    @Test
    void copiesARemoteOneUntilTheLastJobThatUsesItLeavesTheProcess() throws Exception {
        LocalBundle location = new LocalBundle("remote://" + location(), version());
        Job first = new Job();
        Job second = new Job();

        Bundle bundle = location.open(first.context());
        assertThat(bundle.directory()).isNotEqualTo(written.directory());
        assertThat(bundle.file("layers/0/experts/2.onnx")).exists();
        assertThat(bundle.spec()).isEqualTo(written.spec());
        assertThat(location.open(second.context())).isSameAs(bundle);

        first.leave.run();
        assertThat(location.open(second.context())).isSameAs(bundle);
        second.leave.run();
        assertThat(bundle.directory()).doesNotExist();
        assertThat(location.open().directory()).isNotEqualTo(bundle.directory()).exists();
    }

    /** A job, as far as a bundle asks: its class loader, and a hook for when that is released. */
    private static final class Job {
        private final ClassLoader loader = new URLClassLoader(new URL[0]);
        private Runnable leave;

        RuntimeContext context() {
            return (RuntimeContext)
                    Proxy.newProxyInstance(
                            RuntimeContext.class.getClassLoader(),
                            new Class<?>[] {RuntimeContext.class},
                            (proxy, method, arguments) -> {
                                if (method.getName().equals("getUserCodeClassLoader")) {
                                    return loader;
                                }
                                leave = (Runnable) arguments[1];
                                return null;
                            });
        }
    }

    @Test
    void opensAVersionOncePerProcess() throws Exception {
        LocalBundle bundle = new LocalBundle(location(), version());
        LocalBundle shipped = InstantiationUtil.clone(bundle);
        assertThat(shipped).isEqualTo(bundle);
        assertThat(shipped.open()).isSameAs(bundle.open());
    }

    @Test
    void refusesAVersionThatTheJobWasNotBuiltFor() {
        LocalBundle bundle = new LocalBundle(location(), "000000000000");
        assertThatThrownBy(bundle::open)
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
        bundle.open();
        FileUtils.deleteDirectory(written.directory().toFile());
        Bundle other = NumberedBundle.write(directory.resolve("bundle"), 4, 2, 1);
        assertThatThrownBy(bundle::open)
                .isInstanceOf(BundleException.class)
                .hasMessageContaining("now has version %s", other.spec().version());
        assertThat(new LocalBundle(location(), null).open().spec()).isEqualTo(other.spec());
    }

    @Test
    void refusesABundleThatWasRemovedAfterItWasOpened() throws Exception {
        LocalBundle bundle = new LocalBundle(location(), version());
        bundle.open();
        FileUtils.deleteDirectory(written.directory().toFile());
        assertThatThrownBy(bundle::open)
                .isInstanceOf(BundleException.class)
                .hasMessageContaining("there is no such directory");
    }

    @Test
    void refusesADirectoryThatIsMissing() {
        LocalBundle bundle = new LocalBundle(location() + "-missing", null);
        assertThatThrownBy(bundle::open)
                .isInstanceOf(BundleException.class)
                .hasMessageStartingWith(location() + "-missing: there is no such directory");
    }

    @Test
    void refusesAFileSystemThatFlinkDoesNotKnow() {
        assertThatThrownBy(() -> new LocalBundle("nowhere://host/bundle", null).open())
                .isInstanceOf(BundleException.class)
                .hasMessageContaining("cannot be read")
                .hasMessageContaining("'nowhere'");
    }

    private String location() {
        return written.directory().toString();
    }

    private String version() {
        return written.spec().version();
    }
}
