package io.flinkmoe.capacity;

import java.util.Locale;

/** When it is decided which choices of a window find room. */
public enum Admission {
    /** As they come, while the window has room: at once, but arrival decides. */
    FIRST_COME,
    /**
     * When the window closes, in an {@link AdmissionOrder}: the window's content alone decides,
     * whatever the arrival, parallelism and batching.
     */
    PRIORITIZED;

    /** As options write it: first-come. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
