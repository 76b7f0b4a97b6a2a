package io.flinkmoe.stream;

import org.apache.flink.api.common.typeinfo.TypeInformation;

/** Type information of all that flows between the operators. */
public final class StreamTypes {

    public static final TypeInformation<Token> TOKEN =
            new ImmutableTypeInfo<>(Token.class, new Token.Serializer());
    public static final TypeInformation<Arrival> ARRIVAL =
            new ImmutableTypeInfo<>(Arrival.class, new Arrival.Serializer());
    public static final TypeInformation<DeadLetter> DEAD_LETTER =
            new ImmutableTypeInfo<>(DeadLetter.class, new DeadLetter.Serializer());
    public static final TypeInformation<ScoredToken> SCORED_TOKEN =
            new ImmutableTypeInfo<>(ScoredToken.class, new ScoredToken.Serializer());
    public static final TypeInformation<WindowSummary> WINDOW_SUMMARY =
            new ImmutableTypeInfo<>(WindowSummary.class, new WindowSummary.Serializer());
    public static final TypeInformation<DecisionRecord> DECISION_RECORD =
            new ImmutableTypeInfo<>(DecisionRecord.class, new DecisionRecord.Serializer());
    public static final TypeInformation<RouterLogits> ROUTER_LOGITS =
            new ImmutableTypeInfo<>(RouterLogits.class, new RouterLogits.Serializer());

    public static final TypeInformation<TokenBlock> TOKEN_BLOCK =
            new ImmutableTypeInfo<>(TokenBlock.class, new TokenBlock.Serializer());
    public static final TypeInformation<ResidualBlock> RESIDUAL_BLOCK =
            new ImmutableTypeInfo<>(ResidualBlock.class, new ResidualBlock.Serializer());
    public static final TypeInformation<ExpertInput> EXPERT_INPUT =
            new ImmutableTypeInfo<>(ExpertInput.class, new ExpertInput.Serializer());
    public static final TypeInformation<ContributionBlock> CONTRIBUTION_BLOCK =
            new ImmutableTypeInfo<>(ContributionBlock.class, new ContributionBlock.Serializer());

    private StreamTypes() {}
}
