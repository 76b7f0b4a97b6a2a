// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import java.util.Locale;
import org.apache.flink.annotation.PublicEvolving;

/** When an expert decides which choices of a window it admits. */
@PublicEvolving
public enum AdmissionMode {
    /** On arrival, while capacity remains: {@link FirstCome}. */
    FIRST_COME,
    /** When the window closes, in an {@link AdmissionOrder}: {@link AtWindowClose}. */
    PRIORITIZED;

    /** As options write it: first-come. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
