// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.api.Token;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import org.apache.flink.annotation.Internal;

/**
 * An endless stream of flights. It repeats the demo's three days, each time three days later. Most
 * flights come in order of departure, some slightly out of order, and some after their window has
 * closed. The stream is always the same.
 */
@Internal
final class DrillStream {

    static final Duration WINDOW = Duration.ofHours(1);

    /** How far a flight may be behind others of its partition without being late. */
    static final Duration MAX_OUT_OF_ORDERNESS = Duration.ofMinutes(20);

    private static final long CYCLE = Duration.ofDays(3).toMillis();

    /**
     * One in {@code DELAYED_ONE_IN} flights is out of order. It comes after {@code DELAY} others,
     * which takes minutes of event time.
     */
    private static final int DELAYED_ONE_IN = 31;

    private static final int DELAY = 50;

    /**
     * One in {@code LATE_ONE_IN} flights is late. It comes after {@code LATENESS} others, which
     * takes hours of event time.
     */
    private static final int LATE_ONE_IN = 97;

    private static final int LATENESS = 4_000;

    private final List<Token> flights;
    private final Queue<Held> delayed = new ArrayDeque<>();
    private final Queue<Held> late = new ArrayDeque<>();
    private long departed;

    /** A flight that is held back until {@code due} flights have departed. */
    private record Held(Token token, long due) {}

    /**
     * @param flights the flights of three days; the position of each is its index
     */
    DrillStream(List<Token> flights) {
        this.flights = flights;
    }

    /** The next flight. Positions count departures, so they do not always increase. */
    Token next() {
        while (true) {
            for (Queue<Held> queue : List.of(delayed, late)) {
                if (!queue.isEmpty() && queue.peek().due() <= departed) {
                    return queue.remove().token();
                }
            }
            Token token = flight(departed++);
            if (token.position() % LATE_ONE_IN == 0) {
                late.add(new Held(token, departed + LATENESS));
            } else if (token.position() % DELAYED_ONE_IN == 0) {
                delayed.add(new Held(token, departed + DELAY));
            } else {
                return token;
            }
        }
    }

    private Token flight(long number) {
        Token first = flights.get((int) (number % flights.size()));
        long cycles = number / flights.size();
        return new Token(
                first.stream(), number, first.timestamp() + cycles * CYCLE, first.values());
    }
}
