// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.deploy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The queries in {@code deploy/observability}. */
public final class Observability {

    private static final Path FOLDER = Path.of("..", "..", "deploy", "observability");
    private static final Pattern IN_LEGEND = Pattern.compile("\\{\\{(\\w+)}}");
    private static final Pattern IN_TEXT = Pattern.compile("\\$labels\\.(\\w+)");

    private Observability() {}

    /**
     * A query.
     *
     * @param where the panel or the alert
     * @param shown labels of its result that are shown
     */
    public record Query(String where, String expression, List<String> shown) {}

    /** Of all panels. */
    public static List<Query> dashboard() throws IOException {
        List<Query> queries = new ArrayList<>();
        for (JsonNode panel : read("grafana-dashboard.json").get("panels")) {
            for (JsonNode target : panel.path("targets")) {
                queries.add(
                        new Query(
                                panel.get("title").asText(),
                                target.get("expr").asText(),
                                all(IN_LEGEND, target.get("legendFormat").asText())));
            }
        }
        return queries;
    }

    /** Of all alerts. */
    public static List<Query> alerts() throws IOException {
        List<Query> queries = new ArrayList<>();
        for (JsonNode group : read("alerts.yml").get("groups")) {
            for (JsonNode rule : group.get("rules")) {
                queries.add(
                        new Query(
                                rule.get("alert").asText(),
                                rule.get("expr").asText(),
                                all(IN_TEXT, rule.get("annotations").toString())));
            }
        }
        return queries;
    }

    private static JsonNode read(String file) throws IOException {
        return new YAMLMapper().readTree(FOLDER.resolve(file).toFile());
    }

    private static List<String> all(Pattern pattern, String text) {
        Matcher matcher = pattern.matcher(text);
        return matcher.results().map(result -> result.group(1)).toList();
    }
}
