// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.deploy;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What Prometheus would find, and whether a query asks for that and nothing else. */
public final class Scrape {

    private static final Pattern SAMPLE = Pattern.compile("(?m)^(\\w+)\\{(.*)} \\S+$");
    private static final Pattern LABEL = Pattern.compile("(\\w+)\\s*(=~|!~|!=|=)\\s*\"[^\"]*\"");
    private static final Pattern SELECTOR = Pattern.compile("(flink_\\w+)(\\{[^}]*})?");
    private static final Pattern GROUPING = Pattern.compile("\\bby \\(([^)]*)\\)");

    /** A gauge or histogram is NaN before it has seen anything, and so is an average with it. */
    private static final Pattern BARE_AVERAGE =
            Pattern.compile("\\bavg (by \\([^)]*\\) )?\\(flink_\\w+(\\{[^}]*})?\\)");

    private static final Pattern WORD = Pattern.compile("\\b[a-z_]\\w*\\b");
    private static final Set<String> FUNCTIONS =
            Set.of("sum", "avg", "min", "max", "rate", "increase", "deriv", "absent", "and");

    private final Map<String, Set<String>> labelsOfMetrics = new HashMap<>();

    /**
     * @param text in Prometheus' text format
     */
    public Scrape(String text) {
        Matcher samples = SAMPLE.matcher(text);
        while (samples.find()) {
            labelsOfMetrics
                    .computeIfAbsent(samples.group(1), name -> new HashSet<>())
                    .addAll(labels(samples.group(2)));
        }
    }

    private static Set<String> labels(String text) {
        Set<String> labels = new LinkedHashSet<>();
        LABEL.matcher(text).results().map(label -> label.group(1)).forEach(labels::add);
        return labels;
    }

    /**
     * What is wrong with a query in PromQL, as far as this class knows it.
     *
     * @param shown labels of its result that a legend or a text shows
     */
    public List<String> errors(String query, List<String> shown) {
        List<String> errors = new ArrayList<>();
        Set<String> grouped = new LinkedHashSet<>();
        GROUPING.matcher(query)
                .results()
                .flatMap(by -> List.of(by.group(1).split(",\\s*")).stream())
                .forEach(grouped::add);
        boolean isGrouped = query.contains("by (");
        List<MatchResult> selectors = SELECTOR.matcher(query).results().toList();
        if (selectors.isEmpty()) {
            errors.add("no metric in: " + query);
        }
        for (MatchResult selector : selectors) {
            Set<String> known = labelsOfMetrics.get(selector.group(1));
            if (known == null) {
                errors.add("nothing reports " + selector.group(1));
                continue;
            }
            Set<String> asked = new LinkedHashSet<>(grouped);
            asked.addAll(labels(selector.group(2) == null ? "" : selector.group(2)));
            asked.addAll(isGrouped ? Set.of() : shown);
            asked.removeAll(known);
            asked.forEach(label -> errors.add(selector.group(1) + " has no label " + label));
        }
        if (isGrouped) {
            shown.stream()
                    .filter(label -> !grouped.contains(label))
                    .forEach(label -> errors.add("not among the labels of the result: " + label));
        }
        if (BARE_AVERAGE.matcher(query).find()) {
            errors.add("NaN spoils the average: compare with >= 0");
        }
        String rest = GROUPING.matcher(SELECTOR.matcher(query).replaceAll("")).replaceAll("");
        WORD.matcher(rest.replaceAll("\\[\\w+]", ""))
                .results()
                .map(MatchResult::group)
                .filter(word -> !FUNCTIONS.contains(word))
                .forEach(word -> errors.add("no function: " + word));
        return errors;
    }
}
