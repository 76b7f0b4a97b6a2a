package io.flinkmoe.api;

import io.flinkmoe.capacity.Outcome;

/**
 * Where one MoE layer sent one token: k entries each, in order of rank, the most probable expert
 * first.
 *
 * @param experts the experts that settled the choices, counted from 0; for a choice that no expert
 *     had room for, the first that it tried
 * @param weights what their outputs were multiplied by
 * @param outcomes what became of each choice
 */
public record Decision(int[] experts, float[] weights, Outcome[] outcomes) {}
