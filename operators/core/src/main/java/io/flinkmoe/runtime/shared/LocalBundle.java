// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.FileErrors;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.Device;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.InvalidPathException;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.core.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A reference to a bundle that any process of the cluster can open. A remote bundle is copied to
 * local disk once per process. Every bundle is read and checked once per process, and again after
 * its files have changed or one of its models could not be opened. A copy that fails a check is
 * deleted.
 *
 * @param location a path, or a URI of any file system that Flink supports
 * @param version the version that the job was built for; null accepts any version
 * @param rowByRow the files of models that are called with one row at a time
 */
@Internal
public record LocalBundle(String location, String version, Set<String> rowByRow)
        implements Serializable {

    private static final Logger LOG = LoggerFactory.getLogger(LocalBundle.class);

    /** A bundle whose models are all called with many rows. */
    public LocalBundle(String location, String version) {
        this(location, version, Set.of());
    }

    /**
     * The bundles that this process has checked, by location and version. Subtasks start together;
     * one copies and checks the bundle for all.
     */
    private static final Map<String, CheckedBundle> CHECKED = new HashMap<>();

    /**
     * Reads and checks the bundle for a job that is being built. A copy is deleted when the lease
     * is closed.
     *
     * @throws BundleException if it cannot be read, or now has another version
     */
    public Lease lease() throws BundleException {
        synchronized (CHECKED) {
            return new Lease(isRemote() ? fetch() : checked());
        }
    }

    /**
     * Opens the bundle for an operator. A local copy is deleted when the last job that uses it has
     * left the process.
     *
     * @throws BundleException if it cannot be read, or now has another version
     */
    public Bundle open(RuntimeContext context) throws BundleException {
        synchronized (CHECKED) {
            CheckedBundle checked = checked();
            ClassLoader job = context.getUserCodeClassLoader();
            checked.users().add(job);
            context.registerUserCodeClassLoaderReleaseHookIfAbsent(
                    "flink-moe-bundles", () -> release(job));
            return checked.bundle();
        }
    }

    /**
     * Opens the bundle for an operator that runs its models.
     *
     * @param expertDevice the device of the experts
     * @throws BundleException if it cannot be read, or now has another version
     */
    public BundleSessions sessions(RuntimeContext context, Device expertDevice)
            throws BundleException {
        Bundle bundle = open(context);
        return new BundleSessions(bundle, expertDevice, rowByRow, () -> doubt(bundle));
    }

    private static void doubt(Bundle bundle) {
        synchronized (CHECKED) {
            for (CheckedBundle checked : CHECKED.values()) {
                if (checked.bundle() == bundle) {
                    checked.doubt();
                }
            }
        }
    }

    private static void release(ClassLoader job) {
        synchronized (CHECKED) {
            CHECKED.values()
                    .removeIf(
                            checked ->
                                    checked.users().remove(job)
                                            && checked.users().isEmpty()
                                            && checked.files().discard());
        }
    }

    private CheckedBundle checked() throws BundleException {
        CheckedBundle known = CHECKED.get(location + '#' + version);
        if (known != null && known.isTrusted()) {
            return known;
        }
        CheckedBundle checked = known == null ? fetch() : checkAgain(known);
        CheckedBundle other =
                CHECKED.put(location + '#' + checked.bundle().spec().version(), checked);
        if (other != null && other != known) { // It was opened without a version.
            checked.users().addAll(other.users());
            other.files().discard();
        }
        return checked;
    }

    /** Checks the files again. A copy that is damaged is replaced. */
    private CheckedBundle checkAgain(CheckedBundle known) throws BundleException {
        CheckedBundle checked;
        try {
            checked = check(known.files());
        } catch (BundleException e) {
            CHECKED.values().remove(known);
            if (!known.files().discard()) {
                throw e;
            }
            LOG.warn("The copy of {} on local disk is damaged and was deleted", location, e);
            checked = fetch();
        }
        checked.users().addAll(known.users());
        return checked;
    }

    private CheckedBundle fetch() throws BundleException {
        BundleFiles files = files();
        try {
            return check(files);
        } catch (Throwable t) {
            files.discard();
            throw t;
        }
    }

    private CheckedBundle check(BundleFiles files) throws BundleException {
        Bundle bundle = files.read();
        String found = bundle.spec().version();
        if (version != null && !version.equals(found)) {
            throw new BundleException(
                    java.nio.file.Path.of(location),
                    "now has version %s, but the job was built for version %s. Keep each version in its own directory, or submit the job again"
                            .formatted(found, version));
        }
        return new CheckedBundle(bundle, files);
    }

    private BundleFiles files() throws BundleException {
        try {
            Path path = new Path(location);
            return isRemote() ? BundleCopy.of(path) : new BundleFiles.InPlace(localPath(path));
        } catch (IOException | IllegalArgumentException e) {
            throw new BundleException(
                    java.nio.file.Path.of(location),
                    "cannot be read: "
                            + (e instanceof IOException failure
                                    ? FileErrors.describe(failure)
                                    : e.getMessage()),
                    e);
        }
    }

    /** In a locale without UTF-8, Java cannot open files whose names are not ASCII. */
    private static java.nio.file.Path localPath(Path path) {
        try {
            return java.nio.file.Path.of(path.getPath());
        } catch (InvalidPathException e) {
            throw new IllegalConfigurationException(
                    "%s is '%s', but this process cannot use the name: %s. Start it in a UTF-8 locale, for example with LC_ALL=C.UTF-8 in its environment"
                            .formatted(MoeOptions.BUNDLE.key(), path, e.getReason()),
                    e);
        }
    }

    private boolean isRemote() {
        String scheme = new Path(location).toUri().getScheme();
        return scheme != null && !scheme.equals("file");
    }

    /** A bundle that is read while a job is built. Closing it deletes a copy. */
    public static final class Lease implements AutoCloseable {

        private final CheckedBundle checked;

        private Lease(CheckedBundle checked) {
            this.checked = checked;
        }

        public Bundle bundle() {
            return checked.bundle();
        }

        @Override
        public void close() {
            checked.files().discard();
        }
    }
}
