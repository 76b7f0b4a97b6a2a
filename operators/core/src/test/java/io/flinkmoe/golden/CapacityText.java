// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.CapacityFormula.Arithmetic;
import io.flinkmoe.capacity.CapacityFormula.Rounding;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The {@code capacity_rule} of a golden case, read as a formula. It is written in words, such as
 * "max(min(S, trunc(S*cf/E)), min_capacity) per group" or "ceil(S*k*cf/E) rounded up to a multiple
 * of 4". What the text does not say is not applied: without "a multiple of" there is none.
 */
final class CapacityText {

    private static final Pattern ROUNDED =
            Pattern.compile("(trunc|floor|ceil|round_half_even|round)\\(");
    private static final Pattern MULTIPLE = Pattern.compile("multiple of (\\w+)");
    private static final Pattern NO_MULTIPLE =
            Pattern.compile("\\b(no|not|never|without)\\b[^;,]*multiple");
    private static final Pattern AT_LEAST = Pattern.compile("at least (\\w+)");
    private static final Pattern MAXIMUM = Pattern.compile("max\\(.*, (\\w+)\\)");
    private static final Pattern ZERO_BECOMES = Pattern.compile("0 becomes (\\d+)");
    private static final Pattern NUMBER = Pattern.compile("(?<![\\w.])(\\d+)(?=\\*)");

    private final GoldenCase golden;
    private final String text;
    private final int k;

    /**
     * @param k choices per token
     */
    CapacityText(GoldenCase golden, int k) {
        this.golden = golden;
        this.text = golden.text("capacity_rule").toLowerCase(Locale.ROOT);
        this.k = k;
    }

    CapacityFormula formula() {
        Matcher rounded = ROUNDED.matcher(text);
        if (!rounded.find()) {
            throw notUnderstood();
        }
        Rounding rounding =
                switch (rounded.group(1)) {
                    case "ceil" -> Rounding.CEIL;
                    case "trunc", "floor" -> Rounding.FLOOR;
                    default -> Rounding.HALF_EVEN;
                };
        String share = inParentheses(rounded.end());
        boolean atMostTokens = text.contains("min(s, ") || text.contains("min(t, ");
        int before = multiplier(text.substring(0, rounded.start()));
        if (share.equals("t/e") || share.equals("s/e")) {
            return formula(1, before, Arithmetic.CEILED_QUOTIENT, Rounding.FLOOR, atMostTokens);
        }
        if (share.contains("fraction")) {
            double fraction = golden.number("eval_capacity_token_fraction");
            return formula(fraction, 1, Arithmetic.FRACTION_OF_WINDOW, rounding, atMostTokens);
        }
        boolean float32 = share.contains("float32(t/e)") || share.contains("float32(s/e)");
        int times = share.contains("*k") || share.contains("k*") ? k : multiplier(share);
        return formula(
                golden.number("capacity_factor"),
                times,
                float32 ? Arithmetic.QUOTIENT_FLOAT32 : Arithmetic.PRODUCT,
                rounding,
                atMostTokens);
    }

    private CapacityFormula formula(
            double factor,
            int times,
            Arithmetic arithmetic,
            Rounding rounding,
            boolean atMostTokens) {
        if (times != 1 && times != k) {
            throw notUnderstood();
        }
        return new CapacityFormula(
                factor, times != 1, arithmetic, rounding, minimum(), multipleOf(), atMostTokens);
    }

    private String inParentheses(int from) {
        int open = 1;
        for (int at = from; at < text.length(); at++) {
            open += text.charAt(at) == '(' ? 1 : text.charAt(at) == ')' ? -1 : 0;
            if (open == 0) {
                return text.substring(from, at).replace(" ", "");
            }
        }
        throw notUnderstood();
    }

    private static int multiplier(String expression) {
        Matcher number = NUMBER.matcher(expression);
        return number.find() ? Integer.parseInt(number.group(1)) : 1;
    }

    private int minimum() {
        Matcher zero = ZERO_BECOMES.matcher(text);
        if (zero.find()) {
            if (Integer.parseInt(zero.group(1)) != multipleOf()) {
                throw notUnderstood();
            }
            return 1; // which is raised to the multiple
        }
        for (Pattern pattern : new Pattern[] {AT_LEAST, MAXIMUM}) {
            Matcher least = pattern.matcher(text);
            if (least.find()) {
                return value(least.group(1));
            }
        }
        return 0;
    }

    /** A number, or the value of a key. */
    private int value(String word) {
        return word.matches("\\d+") ? Integer.parseInt(word) : golden.integer(word);
    }

    private int multipleOf() {
        if (text.contains("odd c becomes c+1")) {
            return 2;
        }
        Matcher multiple = MULTIPLE.matcher(text);
        boolean given = multiple.find() && !NO_MULTIPLE.matcher(text).find();
        return given && multiple.group(1).matches("\\d+") ? Integer.parseInt(multiple.group(1)) : 1;
    }

    private IllegalArgumentException notUnderstood() {
        return new IllegalArgumentException(
                "%s: capacity_rule is '%s', which is not understood".formatted(golden, text));
    }
}
