// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class WatchdogTest {

    private final List<Process> started = new ArrayList<>();

    @AfterEach
    void end() {
        started.forEach(Process::destroyForcibly);
    }

    @Test
    void killsThoseThatItWasToldOfLast() throws Exception {
        Process earlier = sleeper();
        Process one = sleeper();
        Process other = sleeper();
        try (Watchdog watchdog = new Watchdog()) {
            watchdog.watch(List.of(earlier.pid(), one.pid()));
            watchdog.watch(List.of(one.pid(), other.pid()));
            assertThat(one.isAlive()).isTrue();
        }
        assertThat(one.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(other.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(earlier.isAlive()).isTrue();
    }

    private Process sleeper() throws IOException {
        Process process = new ProcessBuilder("sleep", "300").start();
        started.add(process);
        return process;
    }
}
