// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

/**
 * Receives the {@code inputs} of a token: for each column its name, and then its value. A vector is
 * its start, its values and its end.
 */
public interface InputSink {

    /** Forgets everything, for readers of vectors. */
    InputSink NONE =
            new InputSink() {
                @Override
                public void start() {}

                @Override
                public void column(String name) {}

                @Override
                public void startVector() {}

                @Override
                public void endVector() {}

                @Override
                public void missing() {}

                @Override
                public void flag(boolean value) {}

                @Override
                public void whole(long value) {}

                @Override
                public void real(double value) {}

                @Override
                public void text(String value) {}
            };

    /** Begins a token. What was received before is forgotten. */
    void start();

    /** Begins a column. */
    void column(String name);

    /** Begins a vector, whose values follow. */
    void startVector();

    /** Ends a vector. */
    void endVector();

    /** Receives a null. */
    void missing();

    /** Receives a boolean. */
    void flag(boolean value);

    /** Receives an int or long. */
    void whole(long value);

    /** Receives a float or double. */
    void real(double value);

    /** Receives a string. */
    void text(String value);
}
