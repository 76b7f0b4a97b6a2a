// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/**
 * The table of a rule in a CSV file: {@code VALUE,EXPERT} in each line, in UTF-8. A field may stand
 * in double quotes, in which {@code ""} is a quote. A first line {@code …,expert} is a header.
 * Nothing is trimmed, because a rule compares exactly.
 */
@Internal
public final class RuleTable {

    private static final long MAX_BYTES = 32 << 20;
    private static final int MOST_NAMED = 10;
    private static final String HEADER = "expert";
    private static final String BYTE_ORDER_MARK = "\ufeff";

    private final Collection<String> experts;
    private final Map<String, String> table = new LinkedHashMap<>();
    private final Map<String, Integer> lines = new HashMap<>();

    private RuleTable(Collection<String> experts) {
        this.experts = experts;
    }

    /** A table is wrong. The message names the line, but not the file. */
    public static final class WrongTableException extends IOException {
        private static final long serialVersionUID = 1L;

        WrongTableException(String message) {
            super(message);
        }
    }

    /**
     * Reads a table from values to experts.
     *
     * @param experts the names of the experts, or the numbers of those without a name
     * @throws WrongTableException if a line is wrong, has a value of an earlier line, or an expert
     *     that is not there
     */
    public static Map<String, String> read(Path file, Collection<String> experts)
            throws IOException {
        if (Files.size(file) > MAX_BYTES) {
            throw new WrongTableException(
                    "it has %d bytes; allowed: up to %d".formatted(Files.size(file), MAX_BYTES));
        }
        RuleTable table = new RuleTable(experts);
        try (BufferedReader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
            int number = 0;
            for (String line; (line = reader.readLine()) != null; ) {
                number++;
                if (number == 1 && line.startsWith(BYTE_ORDER_MARK)) {
                    line = line.substring(1);
                }
                if (!line.isEmpty()) {
                    table.add(number, line);
                }
            }
        } catch (CharacterCodingException e) {
            throw new WrongTableException("it is not UTF-8; save it in UTF-8");
        }
        if (table.table.isEmpty()) {
            throw new WrongTableException("it has no line; expected VALUE,EXPERT in each");
        }
        return table.table;
    }

    private void add(int number, String line) throws WrongTableException {
        List<String> fields = fields(line);
        if (fields.size() != 2 || fields.get(1).isBlank()) {
            throw new WrongTableException(
                    "line %d is '%s'; expected VALUE,EXPERT".formatted(number, line));
        }
        String value = fields.get(0);
        String expert = fields.get(1);
        if (!experts.contains(expert)) {
            if (number == 1 && expert.equalsIgnoreCase(HEADER)) {
                return;
            }
            List<String> allowed = experts.stream().limit(MOST_NAMED).toList();
            throw new WrongTableException(
                    "line %d has the expert '%s', which is not there; allowed: %s%s"
                            .formatted(
                                    number,
                                    expert,
                                    allowed,
                                    allowed.size() < experts.size() ? " and others" : ""));
        }
        Integer earlier = lines.putIfAbsent(value, number);
        if (earlier != null) {
            throw new WrongTableException(
                    "line %d has the value '%s', which line %d has; list each value once"
                            .formatted(number, value, earlier));
        }
        table.put(value, expert);
    }

    /** The fields of a line; none if a quote is not closed or stands inside a field. */
    private static List<String> fields(String line) {
        List<String> fields = new ArrayList<>();
        int at = 0;
        while (at <= line.length()) {
            boolean isQuoted = at < line.length() && line.charAt(at) == '"';
            StringBuilder field = new StringBuilder();
            if (isQuoted) {
                at++;
                while (at < line.length() && (line.charAt(at) != '"' || isQuote(line, at + 1))) {
                    at += line.charAt(at) == '"' ? 1 : 0;
                    field.append(line.charAt(at++));
                }
                if (at++ == line.length()) {
                    return List.of();
                }
            } else {
                int end = line.indexOf(',', at);
                field.append(line, at, end < 0 ? line.length() : end);
                at = end < 0 ? line.length() : end;
            }
            if (at < line.length() && line.charAt(at) != ',') {
                return List.of();
            }
            fields.add(field.toString());
            at++;
        }
        return fields;
    }

    private static boolean isQuote(String line, int at) {
        return at < line.length() && line.charAt(at) == '"';
    }
}
