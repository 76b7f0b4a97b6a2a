// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.contenders;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.MoeOptions.CapacityPolicy;
import io.flinkmoe.config.PlacementOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.tools.flink.BenchCluster;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;

/** The contenders of a shape, by name. */
@Internal
public final class Contenders {

    public static final String LIMIT = "limit";
    public static final String PER_RECORD = "per-record";
    public static final String FUSED = "fused";
    public static final String FLINK_MOE = "flink-moe";
    public static final String FLINK_MOE_P1 = "flink-moe-p1";
    public static final String FLINK_MOE_REPLICATED = "flink-moe-replicated";
    public static final String FLINK_MOE_CAPACITY = "flink-moe-capacity";
    public static final String FLINK_MOE_PRIORITIZED = "flink-moe-prioritized";
    public static final String FLOOR = "floor";

    public static final List<String> NAMES =
            List.of(
                    LIMIT,
                    FLOOR,
                    PER_RECORD,
                    FUSED,
                    FLINK_MOE_P1,
                    FLINK_MOE,
                    FLINK_MOE_REPLICATED,
                    FLINK_MOE_CAPACITY,
                    FLINK_MOE_PRIORITIZED);

    public static final int PARALLELISM = 2;

    private static final int[] BATCHES = {256, 1024, 4096};
    private static final Duration WINDOW = Duration.ofSeconds(1);
    private static final double CAPACITY_FACTOR = 1.25;

    private final Shape shape;
    private final Path folder;
    private final BenchCluster cluster;
    private final Configuration options;
    private Bundle bundle;
    private Contenders floor;

    /**
     * @param folder the folder for the shape's models; it must not exist
     * @param options options of the layers that override the benchmark's
     */
    public Contenders(Shape shape, Path folder, BenchCluster cluster, Configuration options) {
        this.shape = shape;
        this.folder = folder;
        this.cluster = cluster;
        this.options = options;
    }

    /** Prepares a contender, and writes the models that it needs. */
    public Contender of(String name) throws IOException {
        return switch (name) {
            case LIMIT -> limit();
            case PER_RECORD -> {
                PerRecord map = new PerRecord(bundle());
                yield job(
                        name,
                        PARALLELISM,
                        tokens -> tokens.map(map).returns(ScoredToken.TYPE).uid(PER_RECORD));
            }
            case FUSED -> fused();
            case FLINK_MOE_P1 -> flinkMoe(name, 1, dropless());
            case FLINK_MOE -> flinkMoe(name, PARALLELISM, dropless());
            case FLINK_MOE_REPLICATED -> flinkMoe(name, PARALLELISM, replicated());
            case FLINK_MOE_CAPACITY ->
                    flinkMoe(name, PARALLELISM, withCapacity(AdmissionMode.FIRST_COME));
            case FLINK_MOE_PRIORITIZED ->
                    flinkMoe(name, PARALLELISM, withCapacity(AdmissionMode.PRIORITIZED));
            case FLOOR -> floor().flinkMoe(name, PARALLELISM, replicated());
            default -> throw new IllegalArgumentException(name);
        };
    }

    private Contender limit() throws IOException {
        List<Contender> settings = new ArrayList<>();
        for (int batch : BATCHES) {
            settings.add(new LimitContender(bundle(), batch, 1));
        }
        settings.add(new LimitContender(bundle(), 1024, 2));
        return new BestOf(LIMIT, settings);
    }

    private Contender fused() throws IOException {
        Path file = folder.resolveSibling(shape.name() + "-fused.onnx");
        shape.writeFused(file);
        List<Contender> settings = new ArrayList<>();
        for (int batch : BATCHES) {
            settings.add(
                    job(
                            "batch " + batch,
                            PARALLELISM,
                            tokens ->
                                    tokens.transform(
                                                    FUSED,
                                                    ScoredToken.TYPE,
                                                    new FusedOperator(file, shape.d(), batch))
                                            .uid(FUSED)));
        }
        return new BestOf(FUSED, settings);
    }

    /** The operators with a bundle of the shape and more options. */
    FlinkContender flinkMoe(String name, int parallelism, Configuration settings)
            throws IOException {
        settings.set(MoeOptions.BUNDLE, bundle().directory().toString());
        settings.addAll(options);
        return job(
                name,
                parallelism,
                tokens -> MoeLayers.builder(settings).build().score(tokens).scored());
    }

    private FlinkContender job(String name, int parallelism, FlinkContender.Scoring scoring) {
        InputLayout inputs = new InputLayout(shape.encoder().inputs(shape.d()), List.of());
        return new FlinkContender(name, cluster, parallelism, inputs, scoring);
    }

    static Configuration dropless() {
        return new Configuration();
    }

    /** The contenders of the same shape with experts that return their input. */
    private Contenders floor() {
        if (floor == null) {
            Path models = folder.resolveSibling(folder.getFileName() + "-floor");
            floor = new Contenders(shape.withIdentityExperts(), models, cluster, options);
        }
        return floor;
    }

    private static Configuration replicated() {
        Configuration settings = new Configuration();
        settings.set(PlacementOptions.PLACEMENT, PlacementOptions.Placement.REPLICATED);
        return settings;
    }

    private Configuration withCapacity(AdmissionMode admission) {
        long tokensPerWindow = WINDOW.toMillis() * TokenSource.TOKENS_PER_MILLI;
        double share = CAPACITY_FACTOR * shape.k() * tokensPerWindow / shape.numExperts();
        Configuration settings = new Configuration();
        settings.set(MoeOptions.CAPACITY, CapacityPolicy.FIXED);
        settings.set(MoeOptions.CAPACITY_SIZE, (int) Math.ceil(share));
        settings.set(MoeOptions.CAPACITY_WINDOW_SIZE, WINDOW);
        settings.set(MoeOptions.CAPACITY_ADMISSION, admission);
        return settings;
    }

    /** The shape's bundle. The first call writes it. */
    public Bundle bundle() throws BundleException, IOException {
        if (bundle == null) {
            bundle = shape.writeBundle(folder);
        }
        return bundle;
    }
}
