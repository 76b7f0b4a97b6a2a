// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.tools.machine.Installation;
import io.flinkmoe.tools.text.EnumConverter;
import java.util.Locale;
import org.apache.flink.annotation.Internal;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** The options that choose the demo's model. */
@Internal
final class ModelOptions {

    enum Name {
        LATE,
        DELAY;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private static final class Names extends EnumConverter<Name> {
        Names() {
            super(Name.class);
        }
    }

    @Option(
            names = "--model",
            paramLabel = "MODEL",
            defaultValue = "late",
            converter = Names.class,
            description = {
                "late (default): a checkpoint with one gate over eight experts, which predicts"
                        + " whether a flight is late by 15 minutes or more.",
                "delay: ONNX parts with three gates over six experts, which predict whether a"
                        + " flight is late by 15 minutes or more, late by 60 or more, and early by 5"
                        + " or more."
            })
    private Name name;

    @Option(
            names = "--dense",
            description =
                    "Let each gate weigh all experts. Only with --model delay. Default: each gate"
                            + " chooses two.")
    private boolean isDense;

    void check(CommandSpec spec) {
        if (isDense && name != Name.DELAY) {
            throw new ParameterException(spec.commandLine(), "--dense requires --model delay");
        }
    }

    /** The model that the options choose. */
    DemoModel choose(Installation installation) {
        return switch (name) {
            case LATE -> new LateModel(installation.flights());
            case DELAY -> new DelayModel(installation.delay(), isDense);
        };
    }
}
