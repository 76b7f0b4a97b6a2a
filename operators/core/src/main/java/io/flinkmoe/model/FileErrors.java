// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import org.apache.flink.annotation.Internal;

/** Why a file cannot be used, in words. The messages of Java's exceptions are often only a path. */
@Internal
public final class FileErrors {

    private FileErrors() {}

    /** The file and the reason. */
    public static String describe(IOException e) {
        if (!(e instanceof FileSystemException failure) || failure.getFile() == null) {
            return reason(e);
        }
        String other = failure.getOtherFile() == null ? "" : " -> " + failure.getOtherFile();
        return failure.getFile() + other + ": " + reason(e);
    }

    /** The reason, for a message that names the file. */
    public static String reason(IOException e) {
        if (!(e instanceof FileSystemException failure)) {
            return e.getMessage() == null || e.getMessage().isBlank()
                    ? e.toString()
                    : e.getMessage();
        }
        String reason = failure.getReason();
        if (reason != null && !reason.isBlank()) {
            return reason;
        } else if (e instanceof NoSuchFileException) {
            return "there is no such file or folder";
        } else if (e instanceof AccessDeniedException) {
            return "permission denied";
        } else if (e instanceof NotDirectoryException) {
            return "it is not a folder";
        } else if (e instanceof FileAlreadyExistsException) {
            return "it exists already";
        } else if (e instanceof DirectoryNotEmptyException) {
            return "the folder is not empty";
        } else if (e instanceof FileSystemLoopException) {
            return "its links form a loop";
        }
        return "it cannot be accessed (%s)".formatted(e.getClass().getSimpleName());
    }

    /** Why a path is not a file that can be read. */
    public static String notAFile(Path path) {
        return Files.isDirectory(path)
                ? "it is a folder; expected a file"
                : missing(path, "there is no such file");
    }

    /** Why a path is not a folder. */
    public static String notAFolder(Path path) {
        return Files.exists(path)
                ? "it is a file; expected a directory"
                : missing(path, "there is no such directory");
    }

    private static String missing(Path path, String message) {
        try {
            return Files.isSymbolicLink(path)
                    ? "it links to %s, which does not exist".formatted(Files.readSymbolicLink(path))
                    : isHidden(path) ? "permission denied" : message;
        } catch (IOException e) {
            return message;
        }
    }

    /** Whether a folder above does not let this process see what is in it. */
    private static boolean isHidden(Path path) {
        for (Path parent = path.toAbsolutePath().getParent();
                parent != null;
                parent = parent.getParent()) {
            if (Files.isDirectory(parent, LinkOption.NOFOLLOW_LINKS)) {
                return !Files.isExecutable(parent);
            }
        }
        return false;
    }
}
