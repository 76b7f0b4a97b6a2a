package io.flinkmoe.tools.drill;

import io.flinkmoe.api.Token;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import org.apache.flink.annotation.Internal;

/**
 * An endless stream of flights: the demo's three days over and over, each time three days later.
 * Most come in order of departure, some a little too late to be in order, and some so late that
 * their window is closed. Always the same stream.
 */
@Internal
final class DrillStream {

    static final Duration WINDOW = Duration.ofHours(1);

    /** How far a flight may lie behind others of its partition. */
    static final Duration MAX_OUT_OF_ORDERNESS = Duration.ofMinutes(20);

    private static final long CYCLE = Duration.ofDays(3).toMillis();

    /** One in this many flights comes out of order, after so many others: minutes. */
    private static final int DELAYED_ONE_IN = 31;

    private static final int DELAY = 50;

    /** One in this many comes late, after so many others: hours. */
    private static final int LATE_ONE_IN = 97;

    private static final int LATENESS = 4_000;

    private final List<Token> flights;
    private final Queue<Held> delayed = new ArrayDeque<>();
    private final Queue<Held> late = new ArrayDeque<>();
    private long departed;

    /** A flight that comes once so many have departed. */
    private record Held(Token token, long due) {}

    /**
     * @param flights those of three days, the position of each being its index
     */
    DrillStream(List<Token> flights) {
        this.flights = flights;
    }

    /** The next flight; positions count departures, thus not always up. */
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
