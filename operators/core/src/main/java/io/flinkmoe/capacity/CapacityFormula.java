// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import java.io.Serializable;
import java.util.Locale;
import org.apache.flink.annotation.PublicEvolving;

/**
 * C, the choices of a window that one expert admits, for T tokens in the window, N experts and k
 * choices per token:
 *
 * <pre>
 *   c = the share that {@link Arithmetic} describes, rounded
 *   c = min(c, T)                          if atMostTokens
 *   C = max(c, minimum), up to a multiple of multipleOf
 * </pre>
 *
 * The published formulas differ in every part, and in the last bit: with T = 50, N = 4 and a factor
 * of 1.2 the same expression is 16 in float32 and 15 in float64. So the order of operations is an
 * option too. Each factory names the code whose formula it is; T counts one group of that code.
 *
 * @param factor the capacity factor CF: 1 is exactly enough for a balanced load
 * @param timesK whether the formula counts T·k choices, or T tokens
 * @param arithmetic the order and precision of the operations
 * @param rounding how the share becomes a whole number
 * @param minimum the least C, 0 for none
 * @param multipleOf C is raised to a multiple of this; 1 for none
 * @param atMostTokens whether the share is limited to T (before {@code minimum} applies)
 */
@PublicEvolving
public record CapacityFormula(
        double factor,
        boolean timesK,
        Arithmetic arithmetic,
        Rounding rounding,
        int minimum,
        int multipleOf,
        boolean atMostTokens)
        implements Serializable {

    /** The order of operations; κ is k or 1, by {@code timesK}; {@code []} is the rounding. */
    public enum Arithmetic {
        /** [T·κ·CF / N]. */
        PRODUCT,
        /** [(T·κ / N)·CF]. */
        QUOTIENT,
        /** [(T / N)·(κ·CF)], both factors, their product and its rounding in float32. */
        QUOTIENT_FLOAT32,
        /** [CF·⌈T / N⌉]·κ. */
        CEILED_QUOTIENT,
        /** ⌊[CF·T]·κ / N⌋. */
        ROUNDED_PRODUCT,
        /** [CF·T·κ]: a fraction of the window for each expert. */
        FRACTION_OF_WINDOW;

        /** As options write it: quotient-float32. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    /** How a share becomes a whole number. */
    public enum Rounding {
        FLOOR,
        CEIL,
        /** To the nearest, halves to the even neighbour. */
        HALF_EVEN;

        double round(double value) {
            return switch (this) {
                case FLOOR -> Math.floor(value);
                case CEIL -> Math.ceil(value);
                case HALF_EVEN -> Math.rint(value);
            };
        }

        /** As options write it: half-even. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    public CapacityFormula {
        if (!(factor >= 0) || Double.isInfinite(factor)) {
            throw new IllegalArgumentException(
                    "capacity factor is %s; allowed: 0 or more".formatted(factor));
        }
        if (arithmetic == null || rounding == null) {
            throw new IllegalArgumentException("capacity needs its arithmetic and its rounding");
        }
        if (minimum < 0) {
            throw new IllegalArgumentException(
                    "minimum capacity is %d tokens; allowed: 0 or more".formatted(minimum));
        }
        if (multipleOf < 1) {
            throw new IllegalArgumentException(
                    "capacity is a multiple of %d; allowed: 1 or more".formatted(multipleOf));
        }
    }

    /** Whether C is the same for every window, whatever T. */
    public boolean isFixed() {
        return factor == 0;
    }

    /**
     * C for one window.
     *
     * @param tokens T, 0 or more
     * @param numExperts N, 1 or more
     * @param topK k, 1 or more
     */
    public int capacity(int tokens, int numExperts, int topK) {
        if (tokens < 0 || numExperts < 1 || topK < 1) {
            throw new IllegalArgumentException(
                    ("a window has %d tokens, %d experts, %d choices;"
                                    + " allowed: 0 tokens or more, 1 expert and choice or more")
                            .formatted(tokens, numExperts, topK));
        }
        double share = share(tokens, numExperts, timesK ? topK : 1);
        if (atMostTokens) {
            share = Math.min(share, tokens);
        }
        double capacity = Math.ceil(Math.max(share, minimum) / multipleOf) * multipleOf;
        return (int) Math.min(capacity, Integer.MAX_VALUE);
    }

    private double share(double tokens, double numExperts, double k) {
        return switch (arithmetic) {
            case PRODUCT -> rounding.round(tokens * k * factor / numExperts);
            case QUOTIENT -> rounding.round(tokens * k / numExperts * factor);
            case QUOTIENT_FLOAT32 ->
                    rounding.round((float) (tokens / numExperts) * (float) (k * factor));
            case CEILED_QUOTIENT -> rounding.round(factor * Math.ceil(tokens / numExperts)) * k;
            case ROUNDED_PRODUCT -> Math.floor(rounding.round(factor * tokens) * k / numExperts);
            case FRACTION_OF_WINDOW -> rounding.round(factor * tokens * k);
        };
    }

    /** C tokens, whatever the window holds: Hugging Face's Switch ({@code expert_capacity}). */
    public static CapacityFormula fixed(int tokens) {
        return of(0, false, Arithmetic.PRODUCT, Rounding.FLOOR).atLeast(tokens);
    }

    /** Mesh TensorFlow: Switch, top-2 (ST-MoE) and No-Token-Left-Behind; minimum 4 by default. */
    public static CapacityFormula switchMesh(double factor, int minimum) {
        return new CapacityFormula(
                factor, false, Arithmetic.PRODUCT, Rounding.FLOOR, minimum, 1, true);
    }

    /** Flaxformer (T5X), tokens choose; minimum 4 by default. */
    public static CapacityFormula tokensChoose(double factor, int minimum) {
        return of(factor, false, Arithmetic.PRODUCT, Rounding.HALF_EVEN).atLeast(minimum);
    }

    /** GShard in Lingvo: 0 becomes 4, and all others a multiple of 4. */
    public static CapacityFormula gshard(double factor) {
        return of(factor, false, Arithmetic.PRODUCT, Rounding.FLOOR).atLeast(1).inMultiplesOf(4);
    }

    /** V-MoE, with its default rounding. */
    public static CapacityFormula vmoe(double factor) {
        return of(factor, true, Arithmetic.PRODUCT, Rounding.CEIL).inMultiplesOf(4);
    }

    /** DeepSpeed top-1, top-2 and top-k; minimum 4 by default. */
    public static CapacityFormula deepspeed(double factor, int minimum) {
        return of(factor, true, Arithmetic.QUOTIENT_FLOAT32, Rounding.CEIL).atLeast(minimum);
    }

    /** Megatron-LM. */
    public static CapacityFormula megatron(double factor) {
        return of(factor, true, Arithmetic.QUOTIENT, Rounding.CEIL);
    }

    /** MegaBlocks, unless dropless. */
    public static CapacityFormula megablocks(double factor) {
        return of(factor, true, Arithmetic.QUOTIENT, Rounding.FLOOR);
    }

    /** Tutel; alignment 1 by default. */
    public static CapacityFormula tutel(double factor, int alignment) {
        return of(factor, true, Arithmetic.CEILED_QUOTIENT, Rounding.FLOOR)
                .inMultiplesOf(alignment);
    }

    /** FastMoE's GShard gate: its rate is 1.2 in training, 2.4 in evaluation. */
    public static CapacityFormula fastMoeGshard(double rate) {
        return of(rate, true, Arithmetic.ROUNDED_PRODUCT, Rounding.CEIL);
    }

    /** FastMoE's Switch gate, with the same rates. */
    public static CapacityFormula fastMoeSwitch(double rate) {
        return of(rate, false, Arithmetic.PRODUCT, Rounding.CEIL);
    }

    /** NLLB in training (fairseq, Hugging Face): 2·⌈T/N⌉ for its two choices. */
    public static CapacityFormula nllbTrain() {
        return of(1, true, Arithmetic.CEILED_QUOTIENT, Rounding.FLOOR);
    }

    /** NLLB in evaluation: a fraction of the window, 0.25 in fairseq, 1 in Hugging Face. */
    public static CapacityFormula nllbEval(double fraction) {
        return of(fraction, false, Arithmetic.FRACTION_OF_WINDOW, Rounding.CEIL);
    }

    /** fairseq's top-1 gate. */
    public static CapacityFormula fairseqTop1(double factor) {
        return of(factor, false, Arithmetic.CEILED_QUOTIENT, Rounding.FLOOR);
    }

    /** OpenMoE in ColossalAI: an even number, at least 4. */
    public static CapacityFormula openMoe(double factor) {
        return of(factor, true, Arithmetic.PRODUCT, Rounding.FLOOR).atLeast(4).inMultiplesOf(2);
    }

    /** Expert Choice: the tokens that each expert takes, at least 1. */
    public static CapacityFormula expertChoice(double factor) {
        return of(factor, false, Arithmetic.PRODUCT, Rounding.HALF_EVEN).atLeast(1);
    }

    /** BASE: T/N, which must be whole there. */
    public static CapacityFormula base() {
        return of(1, false, Arithmetic.PRODUCT, Rounding.FLOOR);
    }

    /** The plain formula: no minimum, no multiple, no limit. */
    public static CapacityFormula of(
            double factor, boolean timesK, Arithmetic arithmetic, Rounding rounding) {
        return new CapacityFormula(factor, timesK, arithmetic, rounding, 0, 1, false);
    }

    /** The same with a minimum. */
    public CapacityFormula atLeast(int tokens) {
        return new CapacityFormula(
                factor, timesK, arithmetic, rounding, tokens, multipleOf, atMostTokens);
    }

    /** The same, raised to a multiple. */
    public CapacityFormula inMultiplesOf(int multiple) {
        return new CapacityFormula(
                factor, timesK, arithmetic, rounding, minimum, multiple, atMostTokens);
    }
}
