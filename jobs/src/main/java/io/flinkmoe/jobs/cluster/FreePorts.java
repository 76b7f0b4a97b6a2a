package io.flinkmoe.jobs.cluster;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;

/** TCP ports of 127.0.0.1 that nobody listens on, for processes that are about to start. */
public final class FreePorts {

    private FreePorts() {}

    /** Some ports, all different. */
    public static int[] find(int count) throws IOException {
        ServerSocket[] sockets = new ServerSocket[count];
        int[] ports = new int[count];
        for (int i = 0; i < count; i++) {
            sockets[i] = open(0);
            ports[i] = sockets[i].getLocalPort();
        }
        for (ServerSocket socket : sockets) {
            socket.close();
        }
        return ports;
    }

    /** The given port, or any other if that is taken. */
    public static int preferring(int port) throws IOException {
        try (ServerSocket socket = open(port)) {
            return socket.getLocalPort();
        } catch (IOException taken) {
            return find(1)[0];
        }
    }

    private static ServerSocket open(int port) throws IOException {
        return new ServerSocket(port, 1, InetAddress.getLoopbackAddress());
    }
}
