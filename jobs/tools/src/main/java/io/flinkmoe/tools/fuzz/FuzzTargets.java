// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;

/** The readers to test, by their names on the command line. */
@Internal
public final class FuzzTargets {

    private static final Map<String, Class<? extends FuzzTarget>> BY_NAME = new LinkedHashMap<>();

    static {
        BY_NAME.put("token", TokenTarget.SingleObject.class);
        BY_NAME.put("token-raw", TokenTarget.Raw.class);
        BY_NAME.put("model-json", ModelJsonTarget.class);
        BY_NAME.put("safetensors", SafetensorsTarget.class);
        BY_NAME.put("checkpoint-config", CheckpointTarget.Config.class);
        BY_NAME.put("checkpoint-index", CheckpointTarget.Index.class);
        BY_NAME.put("onnx-shapes", OnnxTarget.Shapes.class);
        BY_NAME.put("onnx-runtime", OnnxTarget.Runtime.class);
    }

    private FuzzTargets() {}

    /** The names, in the order of execution. */
    public static Set<String> names() {
        return BY_NAME.keySet();
    }

    /** The target with a name; null if it does not exist. */
    public static Class<? extends FuzzTarget> of(String name) {
        return BY_NAME.get(name);
    }

    /** The names of the exceptions that a target documents. */
    public static String rejections(String name) {
        return make(of(name)).rejections().stream()
                .map(Class::getSimpleName)
                .sorted()
                .collect(Collectors.joining(", "));
    }

    static FuzzTarget make(Class<? extends FuzzTarget> target) {
        try {
            return target.getDeclaredConstructor().newInstance();
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("cannot create a " + target.getName(), e);
        }
    }
}
