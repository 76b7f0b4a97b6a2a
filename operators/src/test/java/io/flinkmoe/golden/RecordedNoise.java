package io.flinkmoe.golden;

import io.flinkmoe.routing.NoiseSource;

/** The draws that a golden case has recorded. */
record RecordedNoise(GoldenCase golden, int width, int numExperts) implements NoiseSource {

    static RecordedNoise of(GoldenCase golden) {
        return new RecordedNoise(golden, golden.integer("d_model"), golden.integer("num_experts"));
    }

    @Override
    public float uniform(int token) {
        return golden.floats("noise.second_uniform")[token];
    }

    /** With an ε of 1 the multiplier 1 - ε + 2εu is 2u. */
    @Override
    public float uniform(int token, int value) {
        return golden.floats("noise.input_multiplier")[token * width + value] / 2;
    }

    @Override
    public float normal(int token, int expert) {
        return golden.floats("noise.normal")[token * numExperts + expert];
    }

    @Override
    public float gumbel(int token, int expert) {
        return golden.floats("noise.gumbel")[token * numExperts + expert];
    }
}
