// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.assignableTo;
import static com.tngtech.archunit.core.domain.properties.HasModifiers.Predicates.modifier;
import static java.util.stream.Collectors.toSet;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Decision;
import io.flinkmoe.api.DecisionRecord;
import io.flinkmoe.api.Origin;
import io.flinkmoe.api.RankedGate;
import io.flinkmoe.api.RawRecord;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.RouterLogits;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.runtime.block.AdmissionInputSerializer;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.GateRanks;
import io.flinkmoe.runtime.block.Priorities;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.runtime.dispatch.BatchChange;
import io.flinkmoe.runtime.shared.WaitingTokens;
import io.flinkmoe.serialization.RecordSerializer;
import io.flinkmoe.serialization.WindowCountsSerializer;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class SerializersTest {

    private static final String LONG = "flink-moe ".repeat(10_000);
    private static final String UNICODE = "Zürich ✈ 東京 \ud83d\udeeb \0 \u07ff";
    private static final float[] FLOATS = {1.5f, -0f, Float.NaN, Float.NEGATIVE_INFINITY};
    private static final byte[] BYTES = {0, -1, 127, -128};

    private static final Choices CHOICES =
            new Choices(2, new int[] {3, -1}, new float[] {0.75f, 0}, new byte[] {-1, 4});
    private static final Choices SCORED =
            new Choices(
                    1,
                    new int[] {3, 1, -1, 7},
                    FLOATS,
                    FLOATS,
                    new byte[] {1, 2},
                    new byte[] {1, 0});
    private static final Choices GATED =
            new Choices(
                    2,
                    new int[] {3, 1, 7, -1},
                    new float[0],
                    Choices.NO_SCORES,
                    new byte[] {1, 2, Choices.PENDING, Outcome.NO_CHOICE},
                    new byte[4],
                    new GateRanks(
                            new int[] {1, 2},
                            new short[] {0, 1, 0, -1, 0, Short.MAX_VALUE},
                            new float[] {1, -0f, Float.NaN, 0, 2, 3},
                            new float[] {0.5f, 0.25f, 0.125f, 0, 1, -0f}));
    private static final Choices GATED_WITHOUT_SCORES =
            new Choices(
                    1,
                    new int[] {3},
                    new float[0],
                    Choices.NO_SCORES,
                    new byte[] {1},
                    new byte[1],
                    new GateRanks(
                            new int[] {1, 1},
                            new short[] {0, 0},
                            new float[] {1, 2},
                            Choices.NO_SCORES));
    private static final Choices NO_CHOICES = new Choices(1, new int[0], new float[0], new byte[0]);
    private static final TokenBlock BLOCK =
            new TokenBlock(
                    5,
                    new String[] {"a", null, UNICODE},
                    new long[] {0, -1, Long.MAX_VALUE},
                    new long[] {Long.MIN_VALUE, 0, 1},
                    new boolean[] {false, true, false},
                    new Origin[] {
                        new Origin("in", 0, 1L << 40), new Origin("in", 1, 0), Origin.UNKNOWN
                    },
                    BYTES,
                    new String[] {"x", "", UNICODE},
                    new byte[][] {BYTES, null, {}},
                    new Choices[] {CHOICES, NO_CHOICES});
    private static final TokenBlock EMPTY_BLOCK =
            new TokenBlock(0, new String[0], new long[0], new long[0], new byte[0], new Choices[0]);
    private static final Token TOKEN = new Token(UNICODE, 7, -8, FLOATS);
    private static final DeadLetter DEAD =
            DeadLetter.of(
                    new Origin("tokens", 3, 1L << 40),
                    new RawRecord(
                            BYTES,
                            BYTES,
                            List.of(
                                    new RawRecord.Header(UNICODE, BYTES),
                                    new RawRecord.Header("", null)),
                            5),
                    new Rejection(Rejection.Kind.JSON, UNICODE));
    private static final WindowCounts ACCOUNT =
            new WindowCounts(1, 2, 3, 4, 5, 6, 7, 8, Long.MAX_VALUE);

    private static final CandidateBlock CANDIDATES =
            new CandidateBlock(
                    2,
                    3,
                    1L << 33,
                    1,
                    new int[] {0, 5},
                    new long[] {-1, 1},
                    new Priorities(
                            new String[] {UNICODE, ""},
                            new long[] {Long.MIN_VALUE, 7},
                            new int[0],
                            new float[] {1, -0f},
                            new float[] {0.5f, Float.MIN_VALUE, Float.NaN, 2},
                            new int[] {4, -1}));
    private static final CandidateBlock OF_SEVERAL_GATES =
            new CandidateBlock(
                    2,
                    3,
                    7,
                    0,
                    new int[] {0, 5},
                    new long[] {-1, 1},
                    new Priorities(
                            new String[] {UNICODE, ""},
                            new long[] {Long.MIN_VALUE, 7},
                            new int[] {0, Integer.MAX_VALUE},
                            new float[] {1, -0f},
                            new float[] {0.5f, Float.NaN},
                            new int[0]));
    private static final CandidateBlock NO_CANDIDATES =
            new CandidateBlock(0, 0, 0, 0, new int[0], new long[0], Priorities.NONE);

    private static final DecisionRecord.Layer RANKED =
            new DecisionRecord.Layer(
                    new RankedGate[] {
                        new RankedGate(UNICODE, new int[] {3, -1}, FLOATS, FLOATS),
                        new RankedGate("1", new int[0], new float[0], new float[0])
                    },
                    new int[] {3, -1, 0, 5, 1},
                    Outcome.values(),
                    new int[] {0, 1, 2, 3, 4});

    /** A serializer and records that it must take. */
    record Case(TypeSerializer<?> serializer, List<?> records) {
        @Override
        public String toString() {
            return records.get(0).getClass().getSimpleName();
        }
    }

    static Stream<Case> cases() {
        return Stream.of(
                of(
                        Token.TYPE,
                        TOKEN,
                        new Token(null, 0, 0, null),
                        new Token("", Long.MIN_VALUE, Long.MAX_VALUE, new float[0]),
                        new Token(LONG, 1, 1, new float[] {1}),
                        TOKEN.withPayload(BYTES)),
                of(
                        Arrival.TYPE,
                        Arrival.of(TOKEN),
                        Arrival.of(TOKEN, 3),
                        Arrival.of(TOKEN, new Origin("tokens", 3, 1L << 40)),
                        Arrival.behind(TOKEN, new Origin("tokens", 3, 4)),
                        Arrival.of(DEAD),
                        Arrival.of(new Token(null, 0, 0, null))),
                of(
                        DeadLetter.TYPE,
                        DEAD,
                        DeadLetter.of(
                                Origin.UNKNOWN,
                                new RawRecord(null, null, List.of(), -1),
                                new Rejection(Rejection.Kind.OTHER, null)),
                        DeadLetter.of(
                                new Token(null, 5, 6, new float[] {Float.NaN}),
                                new Rejection(Rejection.Kind.STREAM, "why")),
                        DeadLetter.of(
                                Origin.UNKNOWN,
                                RawRecord.of(new byte[0]),
                                new Rejection(Rejection.Kind.EMPTY_VALUE, LONG))),
                of(
                        ScoredToken.TYPE,
                        new ScoredToken(
                                UNICODE,
                                1,
                                2,
                                FLOATS,
                                "v1",
                                new Decision[] {
                                    new Decision(
                                            new int[] {7, 0, -1, 2, 5},
                                            new float[] {0.5f, 0.25f, 0, 0.125f, 0.125f},
                                            Outcome.values()),
                                    new Decision(new int[0], new float[0], new Outcome[0])
                                }),
                        new ScoredToken(null, 0, 0, new float[0], LONG, new Decision[0]),
                        new ScoredToken("a", 0, 0, null, "v1", new Decision[0]),
                        new ScoredToken("a", 0, 0, null, null, "v1", new Decision[0], 3, BYTES)),
                of(
                        WindowSummary.TYPE,
                        Stream.of(WindowSummary.Source.values())
                                .map(
                                        source ->
                                                new WindowSummary(
                                                        2, -60_000, source, 1, 9, -1, 3, ACCOUNT))
                                .toArray()),
                of(
                        RouterLogits.TYPE,
                        new RouterLogits(1, 2, UNICODE, 4, FLOATS),
                        new RouterLogits(0, 0, null, -4, new float[0])),
                of(
                        Decision.TYPE,
                        new Decision(
                                new int[] {3, -1},
                                new float[] {0.5f, 0},
                                new Outcome[] {Outcome.EXECUTED, Outcome.FAILED}),
                        new Decision(
                                new int[] {3},
                                new float[] {0.5f, 0.25f, 0},
                                new Outcome[] {Outcome.LATE}),
                        new Decision(new int[0], new float[0], new Outcome[0])),
                of(
                        DecisionRecord.Layer.TYPE,
                        RANKED,
                        new DecisionRecord.Layer(
                                new RankedGate[0], new int[0], new Outcome[0], new int[0])),
                of(TokenBlock.TYPE, BLOCK, EMPTY_BLOCK, withStream(LONG)),
                of(
                        RoutedBlock.TYPE,
                        new RoutedBlock(1L << 33, BLOCK, CHOICES),
                        new RoutedBlock(0, EMPTY_BLOCK, NO_CHOICES),
                        new RoutedBlock(1, BLOCK, GATED, FLOATS, Vectors.NONE),
                        new RoutedBlock(3, BLOCK, CHOICES, FLOATS, Vectors.of(BYTES))),
                of(
                        AdmissionInputSerializer.TYPE,
                        CANDIDATES,
                        OF_SEVERAL_GATES,
                        new WindowTokens(2, 3, -60_000, Integer.MAX_VALUE),
                        new RemainingCapacity(2, -60_000, Integer.MAX_VALUE),
                        NO_CANDIDATES),
                new Case(
                        new CandidateBlock.Serializer(),
                        List.of(CANDIDATES, OF_SEVERAL_GATES, NO_CANDIDATES)),
                of(
                        DecisionBlock.TYPE,
                        new DecisionBlock(
                                3,
                                new DecisionBlock.OfBatch[] {
                                    new DecisionBlock.OfBatch(
                                            1L << 33,
                                            1,
                                            new int[] {9, 8},
                                            new byte[] {Choices.PENDING, 2},
                                            new float[] {0.5f, -0f}),
                                    new DecisionBlock.OfBatch(
                                            0, 0, new int[0], new byte[0], DecisionBlock.NO_WEIGHTS)
                                }),
                        new DecisionBlock(0, new DecisionBlock.OfBatch[0])),
                new Case(
                        new BatchChange.Serializer(),
                        List.of(
                                new BatchChange.Arrived(
                                        new WaitingTokens(
                                                new long[] {-1, 1L << 40},
                                                new long[] {7, Long.MIN_VALUE},
                                                new boolean[] {false, true},
                                                2,
                                                new int[] {2, 0})),
                                new BatchChange.Arrived(WaitingTokens.NONE),
                                new BatchChange.Decided(
                                        new DecisionBlock.OfBatch(
                                                1L << 33,
                                                1,
                                                new int[] {9},
                                                new byte[] {2},
                                                DecisionBlock.NO_WEIGHTS)),
                                new BatchChange.Left(new int[] {3, 5}))),
                of(
                        ExpertRows.TYPE,
                        new ExpertRows(2, 3, 1L << 33, new int[] {0, 5}, Vectors.of(BYTES)),
                        new ExpertRows(0, 0, 0, new int[0], Vectors.NONE)),
                new Case(new WindowTokens.Serializer(), List.of(new WindowTokens(0, 0, 0, 1))),
                of(
                        ContributionBlock.TYPE,
                        new ContributionBlock(
                                2,
                                1L << 33,
                                new int[] {9, 8},
                                new byte[] {0, 4},
                                Vectors.of(BYTES)),
                        new ContributionBlock(0, 0, new int[0], new byte[0], Vectors.NONE)),
                of(
                        DecisionRecord.TYPE,
                        new DecisionRecord(
                                UNICODE,
                                1,
                                2,
                                DecisionRecord.NO_WINDOW,
                                "v1",
                                new DecisionRecord.Layer[] {RANKED},
                                Arrival.NO_PARTITION),
                        new DecisionRecord(
                                null,
                                0,
                                0,
                                0,
                                LONG,
                                new DecisionRecord.Layer[0],
                                Arrival.NO_PARTITION)),
                new Case(
                        new RemainingCapacity.Serializer(),
                        List.of(new RemainingCapacity(1, -1, 0))),
                new Case(
                        new Choices.Serializer(),
                        List.of(CHOICES, SCORED, GATED, GATED_WITHOUT_SCORES, NO_CHOICES)),
                new Case(new WindowCountsSerializer(), List.of(ACCOUNT, WindowCounts.EMPTY)));
    }

    @Test
    void coverEverySerializer() {
        Set<String> tested =
                cases().map(test -> test.serializer().getClass().getName()).collect(toSet());
        Set<String> all =
                new ClassFileImporter()
                                .withImportOption(new ImportOption.DoNotIncludeTests())
                                .importPackages("io.flinkmoe")
                                .that(assignableTo(TypeSerializer.class))
                                .that(not(modifier(JavaModifier.ABSTRACT)))
                                .stream()
                                .map(JavaClass::getName)
                                .collect(toSet());
        assertThat(tested).hasSizeGreaterThan(10).isEqualTo(all);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void giveBackEveryRecord(Case test) throws Exception {
        roundTrip(test.serializer, test.records);
    }

    private static <T> void roundTrip(TypeSerializer<T> serializer, List<?> records)
            throws Exception {
        for (Object record : records) {
            byte[] bytes = bytes(serializer, record);
            DataInputDeserializer in = new DataInputDeserializer(bytes);
            T read = serializer.deserialize(in);
            assertSame(read, record);
            assertThat(in.available()).as("bytes left over").isZero();
            assertThat(bytes(serializer, read)).isEqualTo(bytes);
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void keepRecordsApartInAStreamOfBytes(Case test) throws Exception {
        DataOutputSerializer all = new DataOutputSerializer(16);
        for (Object record : test.records) {
            all.write(bytes(test.serializer, record));
        }
        DataInputDeserializer in = new DataInputDeserializer(all.getCopyOfBuffer());
        for (Object record : test.records) {
            assertSame(test.serializer.deserialize(in), record);
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void copyTheSameBytes(Case test) throws Exception {
        for (Object record : test.records) {
            byte[] bytes = bytes(test.serializer, record);
            DataInputDeserializer in = new DataInputDeserializer(bytes);
            DataOutputSerializer out = new DataOutputSerializer(16);
            test.serializer.copy(in, out);
            assertThat(out.getCopyOfBuffer()).isEqualTo(bytes);
            assertThat(in.available()).isZero();
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void takeRecordsForImmutableUnlessTheyMayBorrowOrUsersHaveThem(Case test) {
        boolean mayChange =
                test.records.stream()
                        .anyMatch(
                                r ->
                                        r instanceof ExpertRows
                                                || r instanceof ContributionBlock
                                                || r instanceof Token
                                                || r instanceof ScoredToken
                                                || r instanceof Decision
                                                || r instanceof DecisionRecord
                                                || r instanceof DecisionRecord.Layer
                                                || r instanceof RouterLogits);
        assertThat(test.serializer.isImmutableType()).isEqualTo(!mayChange);
        assertThat(test.serializer.duplicate()).isSameAs(test.serializer);
    }

    @Test
    void copyTheArraysThatAUserMayWriteTo() {
        Token token = new Token("a", 1, 2, new float[] {3});
        new Token.Serializer().copy(token).values()[0] = 4;
        assertThat(token.values()).containsExactly(3);
        Decision decision =
                new Decision(new int[] {1}, new float[] {2}, new Outcome[] {Outcome.EXECUTED});
        ScoredToken scored =
                new ScoredToken("a", 1, 2, new float[] {3}, "v1", new Decision[] {decision});
        ScoredToken copy = new ScoredToken.Serializer().copy(scored);
        assertSame(copy, scored);
        copy.values()[0] = 4;
        copy.layers()[0].experts()[0] = 4;
        copy.layers()[0].weights()[0] = 4;
        copy.layers()[0].outcomes()[0] = Outcome.LATE;
        copy.layers()[0] = null;
        assertThat(scored.values()).containsExactly(3);
        assertThat(scored.layers()).containsExactly(decision);
        assertThat(decision.experts()).containsExactly(1);
        assertThat(decision.weights()).containsExactly(2);
        assertThat(decision.outcomes()).containsExactly(Outcome.EXECUTED);
        RouterLogits logits = new RouterLogits(0, 0, "a", 1, new float[] {3});
        new RouterLogits.Serializer().copy(logits).logits()[0] = 4;
        assertThat(logits.logits()).containsExactly(3);
        DecisionRecord.Layer ranked = new DecisionRecord.Layer.Serializer().copy(RANKED);
        assertThat(ranked).isEqualTo(RANKED);
        ranked.gates()[0].experts()[0] = 4;
        ranked.gates()[0].scores()[0] = 4;
        ranked.gates()[0].weights()[0] = 4;
        ranked.gates()[1] = null;
        ranked.experts()[0] = 4;
        ranked.outcomes()[0] = Outcome.LATE;
        ranked.attempts()[0] = 4;
        assertThat(RANKED.gates()[0])
                .isEqualTo(new RankedGate(UNICODE, new int[] {3, -1}, FLOATS, FLOATS));
        assertThat(RANKED.gates()[1]).isNotNull();
        assertThat(RANKED.experts()).containsExactly(3, -1, 0, 5, 1);
        assertThat(RANKED.outcomes()).isEqualTo(Outcome.values());
        assertThat(RANKED.attempts()).containsExactly(0, 1, 2, 3, 4);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void areRestoredFromTheirSnapshot(Case test) throws Exception {
        restore(test.serializer);
    }

    private static <T> void restore(TypeSerializer<T> serializer) throws Exception {
        DataOutputSerializer out = new DataOutputSerializer(16);
        TypeSerializerSnapshot.writeVersionedSnapshot(out, serializer.snapshotConfiguration());
        TypeSerializerSnapshot<T> restored =
                TypeSerializerSnapshot.readVersionedSnapshot(
                        new DataInputDeserializer(out.getCopyOfBuffer()),
                        SerializersTest.class.getClassLoader());
        assertThat(restored.restoreSerializer()).isEqualTo(serializer);
        assertThat(
                        serializer
                                .snapshotConfiguration()
                                .resolveSchemaCompatibility(restored)
                                .isCompatibleAsIs())
                .isTrue();
    }

    @Test
    void areFoundByTypeExtractionForWhatUsersMake() {
        assertThat(TypeInformation.of(Token.class)).isEqualTo(Token.TYPE);
        assertThat(TypeInformation.of(ScoredToken.class)).isEqualTo(ScoredToken.TYPE);
    }

    /** Field by field; floats by their bits, so that NaN is NaN and -0 is not 0. */
    static void assertSame(Object found, Object expected) {
        assertThat(found)
                .usingRecursiveComparison()
                .withComparatorForType(Comparator.comparing(Float::floatToRawIntBits), Float.class)
                .isEqualTo(expected);
    }

    private static Case of(TypeInformation<?> type, Object... records) {
        return new Case(serializerOf(type), List.of(records));
    }

    /** The serializer under {@code pipeline.generic-types: false}, which must be ours. */
    private static TypeSerializer<?> serializerOf(TypeInformation<?> type) {
        Configuration options = new Configuration();
        options.set(PipelineOptions.GENERIC_TYPES, false);
        ExecutionConfig config = new ExecutionConfig(options);
        TypeSerializer<?> serializer = type.createSerializer(config.getSerializerConfig());
        assertThat(serializer).isInstanceOf(RecordSerializer.class);
        return serializer;
    }

    private static TokenBlock withStream(String stream) {
        return new TokenBlock(
                0, new String[] {stream}, new long[1], new long[1], BYTES, new Choices[0]);
    }

    @SuppressWarnings("unchecked")
    static <T> byte[] bytes(TypeSerializer<T> serializer, Object record) throws Exception {
        DataOutputSerializer out = new DataOutputSerializer(16);
        serializer.serialize((T) record, out);
        return out.getCopyOfBuffer();
    }
}
