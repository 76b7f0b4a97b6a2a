package io.flinkmoe.stream;

import org.apache.flink.api.common.typeinfo.TypeInformation;

/** Type information of all that flows between the operators. */
public final class StreamTypes {

    public static final TypeInformation<Token> TOKEN =
            new RecordTypeInfo<>(Token.class, new Token.Serializer());
    public static final TypeInformation<Arrival> ARRIVAL =
            new RecordTypeInfo<>(Arrival.class, new Arrival.Serializer());
    public static final TypeInformation<DeadLetter> DEAD_LETTER =
            new RecordTypeInfo<>(DeadLetter.class, new DeadLetter.Serializer());
    public static final TypeInformation<ScoredToken> SCORED_TOKEN =
            new RecordTypeInfo<>(ScoredToken.class, new ScoredToken.Serializer());
    public static final TypeInformation<WindowSummary> WINDOW_SUMMARY =
            new RecordTypeInfo<>(WindowSummary.class, new WindowSummary.Serializer());
    public static final TypeInformation<DecisionRecord> DECISION_RECORD =
            new RecordTypeInfo<>(DecisionRecord.class, new DecisionRecord.Serializer());
    public static final TypeInformation<RouterLogits> ROUTER_LOGITS =
            new RecordTypeInfo<>(RouterLogits.class, new RouterLogits.Serializer());

    public static final TypeInformation<TokenBlock> TOKEN_BLOCK =
            new RecordTypeInfo<>(TokenBlock.class, new TokenBlock.Serializer());
    public static final TypeInformation<ResidualBlock> RESIDUAL_BLOCK =
            new RecordTypeInfo<>(ResidualBlock.class, new ResidualBlock.Serializer());
    public static final TypeInformation<ExpertInput> EXPERT_INPUT =
            new RecordTypeInfo<>(ExpertInput.class, new ExpertInput.Serializer());
    public static final TypeInformation<ContributionBlock> CONTRIBUTION_BLOCK =
            new RecordTypeInfo<>(ContributionBlock.class, new ContributionBlock.Serializer());

    private StreamTypes() {}
}
