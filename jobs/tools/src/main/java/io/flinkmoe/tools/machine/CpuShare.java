// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.machine;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import org.apache.flink.annotation.Internal;

/** The CPU time that this process and others use. With much of it used by others, times grow. */
@Internal
public final class CpuShare {

    private static final OperatingSystemMXBean SYSTEM =
            ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);

    private CpuShare() {}

    /** The CPU time of this process in nanoseconds. */
    public static long ownNanos() {
        return SYSTEM.getProcessCpuTime();
    }

    /**
     * The share of the CPU time that other processes have used since the previous call.
     *
     * @return from 0 to 1; 0 if the JVM does not know it
     */
    public static double ofOthers() {
        double all = SYSTEM.getCpuLoad();
        double own = SYSTEM.getProcessCpuLoad();
        return all < 0 || own < 0 ? 0 : Math.max(0, all - own);
    }
}
