package io.flinkmoe.stream;

/** What a token must be to enter a model of a given input width. */
public final class TokenCheck {

    private TokenCheck() {}

    /**
     * Says why a token cannot be scored.
     *
     * @param width the model's input width
     * @return the reason, or null if the token is good
     */
    public static String reasonToReject(Token token, int width) {
        if (token.stream() == null) {
            return "stream is null";
        }
        float[] values = token.values();
        if (values == null) {
            return "values is null";
        }
        if (values.length != width) {
            return "values has %d entries; the model takes %d".formatted(values.length, width);
        }
        for (int i = 0; i < width; i++) {
            if (!Float.isFinite(values[i])) {
                return "values[%d] is %s; only finite values are allowed".formatted(i, values[i]);
            }
        }
        return null;
    }
}
