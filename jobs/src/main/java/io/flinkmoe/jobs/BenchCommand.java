package io.flinkmoe.jobs;

import io.flinkmoe.jobs.bench.Bench;
import io.flinkmoe.jobs.bench.Contenders;
import io.flinkmoe.jobs.bench.Rates;
import io.flinkmoe.jobs.bench.Shape;
import io.flinkmoe.jobs.bench.Spread;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.util.FileUtils;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Measures flink-moe on this machine, beside what one would write instead. */
@Command(
        name = "bench",
        description = {
            "Measure flink-moe on this machine, beside what one would write instead.",
            "",
            "The contenders run the same MoE layer on 2 cores, in turn, in this process: the layer"
                    + " without Flink (limit), a map that runs the experts per record (per-record),"
                    + " one operator with ONNX Runtime's MoE node (fused), and flink-moe."
        },
        subcommands = BenchRoutingCommand.class,
        footer = {
            "  moe bench --quick",
            "  moe bench --shapes medium,large --contenders limit,flink-moe",
            "  moe bench routing           how fast experts are chosen, on one core"
        })
final class BenchCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;

    @Option(
            names = "--output",
            paramLabel = "FILE",
            defaultValue = "bench.json",
            description = "Where the figures go as JSON, with a plot beside. Default: bench.json.")
    private Path output;

    @Option(names = "--quick", description = "Fewer and shorter rounds: under 3 minutes.")
    private boolean quick;

    @Option(
            names = "--shapes",
            split = ",",
            paramLabel = "NAME",
            description = "Of flights, medium, fine-grained, large. Default: all.")
    private List<String> shapes = Shape.ALL.stream().map(Shape::name).toList();

    @Option(
            names = "--contenders",
            split = ",",
            paramLabel = "NAME",
            description =
                    "Of limit, per-record, fused, flink-moe-p1, flink-moe, flink-moe-capacity."
                            + " Default: all.")
    private List<String> contenders = Contenders.NAMES;

    @Option(names = "--rounds", paramLabel = "N", description = "Rounds that are counted.")
    private Integer rounds;

    @Option(
            names = "-D",
            paramLabel = "KEY=VALUE",
            description = "Any option of Flink, or a moe.* option, to see what it changes.")
    private Map<String, String> defined = new LinkedHashMap<>();

    @Override
    public Integer call() throws Exception {
        check("--shapes", shapes, Shape.ALL.stream().map(Shape::name).toList());
        check("--contenders", contenders, Contenders.NAMES);
        Path folder = Files.createTempDirectory("flink-moe-bench-");
        try (Bench bench = start(folder)) {
            for (Shape shape : Shape.ALL) {
                if (shapes.contains(shape.name())) {
                    print(shape, bench.compare(shape, contenders));
                }
            }
        } finally {
            FileUtils.deleteDirectoryQuietly(folder.toFile());
        }
        return 0;
    }

    private Bench start(Path folder) throws Exception {
        int counted = rounds != null ? rounds : quick ? 2 : 5;
        Bench.Pace pace = new Bench.Pace(counted, Duration.ofMillis(quick ? 1000 : 3000));
        return Bench.start(folder, pace, Configuration.fromMap(defined), this::say);
    }

    private void print(Shape shape, Rates rates) {
        TextTable table = new TextTable(shape.name(), ">tokens/s", ">min", ">max", ">flink-moe is");
        for (String contender : rates.contenders()) {
            Spread spread = rates.of(contender);
            Spread ratio = rates.ratio(Contenders.FLINK_MOE, contender);
            table.row(
                    contender,
                    "%,.0f".formatted(spread.median()),
                    "%,.0f".formatted(spread.min()),
                    "%,.0f".formatted(spread.max()),
                    ratio == null ? "" : "%.2f times".formatted(ratio.median()));
        }
        say("");
        say(table.toString());
    }

    private void check(String option, List<String> given, List<String> allowed) {
        for (String name : given) {
            if (!allowed.contains(name)) {
                throw new ParameterException(
                        spec.commandLine(),
                        "%s has '%s'; allowed: %s"
                                .formatted(option, name, String.join(", ", allowed)));
            }
        }
    }

    private void say(String line) {
        PrintWriter out = spec.commandLine().getOut();
        out.println(line);
        out.flush();
    }
}
