package io.flinkmoe.stream;

/**
 * What a source hands to {@link Ingest}: a token that was checked, or a dead letter; one of the two
 * is null. The check comes before the watermark is made, so that a bad record never moves it.
 */
public record Arrival(Token token, DeadLetter deadLetter) {

    public static Arrival of(Token token) {
        return new Arrival(token, null);
    }

    public static Arrival of(DeadLetter deadLetter) {
        return new Arrival(null, deadLetter);
    }
}
