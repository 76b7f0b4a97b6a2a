// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import java.net.URI;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.FileSystemFactory;
import org.apache.flink.core.fs.local.LocalFileSystem;

/** A file system that is not that of this machine, as far as anyone can tell: {@code remote:/}. */
public final class RemoteFiles implements FileSystemFactory {

    @Override
    public String getScheme() {
        return "remote";
    }

    @Override
    public FileSystem create(URI uri) {
        return LocalFileSystem.getSharedInstance();
    }
}
