// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.machine;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.flink.annotation.Internal;

/**
 * Free TCP ports of 127.0.0.1 for processes that are about to start. The ports are outside the
 * range for outgoing connections (Linux: from 32768). Otherwise, while a process restarts on its
 * port, a client that tries to connect to it could occupy the port.
 */
@Internal
public final class FreePorts {

    private static final int FIRST = 10_000;
    private static final int LAST = 32_000;

    private FreePorts() {}

    /** Finds free ports, all different. */
    public static int[] find(int count) throws IOException {
        Set<Integer> ports = new HashSet<>();
        for (int tries = 0; ports.size() < count; tries++) {
            int port = ThreadLocalRandom.current().nextInt(FIRST, LAST);
            if (isFree(port)) {
                ports.add(port);
            } else if (tries > LAST - FIRST) {
                throw new IOException("there is no free port from %d to %d".formatted(FIRST, LAST));
            }
        }
        return ports.stream().mapToInt(Integer::intValue).toArray();
    }

    /** Returns the given port, or another free port if it is occupied. */
    public static int preferring(int port) throws IOException {
        return isFree(port) ? port : find(1)[0];
    }

    private static boolean isFree(int port) {
        try (ServerSocket socket = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
            return socket.isBound();
        } catch (IOException taken) {
            return false;
        }
    }
}
