package io.flinkmoe.tools.machine;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.flink.annotation.Internal;

/**
 * TCP ports of 127.0.0.1 that nobody listens on, for processes that are about to start. None is of
 * those that systems give to outgoing connections (Linux from 32768 on): while a process is down
 * that is to come back on its port, a client that tries to reach it could take the port itself.
 */
@Internal
public final class FreePorts {

    private static final int FIRST = 10_000;
    private static final int LAST = 32_000;

    private FreePorts() {}

    /** Some ports, all different. */
    public static int[] find(int count) throws IOException {
        Set<Integer> ports = new HashSet<>();
        for (int tries = 0; ports.size() < count; tries++) {
            int port = ThreadLocalRandom.current().nextInt(FIRST, LAST);
            if (isFree(port)) {
                ports.add(port);
            } else if (tries > LAST - FIRST) {
                throw new IOException("no port is free from %d to %d".formatted(FIRST, LAST));
            }
        }
        return ports.stream().mapToInt(Integer::intValue).toArray();
    }

    /** The given port, or any other if that is taken. */
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
