package io.flinkmoe.stream;

import java.lang.reflect.Type;
import java.util.Map;
import org.apache.flink.api.common.typeinfo.TypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInfoFactory;
import org.apache.flink.api.common.typeinfo.TypeInformation;

/**
 * One token of a stream: a language model's hidden state, or the feature vector of an event.
 *
 * @param stream whose tokens stay in order: a sequence, an account, an airport
 * @param position the token's place in its stream
 * @param timestamp event time, milliseconds since the epoch
 * @param values the vector, as wide as the model's input
 */
@TypeInfo(Token.Factory.class)
public record Token(String stream, long position, long timestamp, float[] values) {

    /** Finds {@link StreamTypes#TOKEN} for Flink's type extraction. */
    public static final class Factory extends TypeInfoFactory<Token> {
        @Override
        public TypeInformation<Token> createTypeInfo(
                Type type, Map<String, TypeInformation<?>> genericParameters) {
            return StreamTypes.TOKEN;
        }
    }
}
