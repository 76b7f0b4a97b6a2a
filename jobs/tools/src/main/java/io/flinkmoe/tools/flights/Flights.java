// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flights;

import io.flinkmoe.api.Token;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.TypedValuesBuilder;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import org.apache.flink.annotation.Internal;

/**
 * The demo's events: US flights of June 2001 as tokens, in order of scheduled departure. A token's
 * stream is the airport of origin, its position the line of the file, its values ten features.
 */
@Internal
public final class Flights {

    /**
     * How far the flights may be behind their records ({@code moe.source.max-behind}). They are
     * older than the default allows.
     */
    public static final Duration AGE = Duration.ofDays(36_500);

    /** Whether a flight is late, which is from a delay of 15 minutes on. */
    public static final FlightTask LATE = FlightTask.late("late", 15);

    /** The features before the two airports. */
    private static final int NUMERIC = 8;

    private static final LocalDate FIRST_DAY = LocalDate.of(2001, 1, 1);

    private final List<Token> tokens;
    private final int[] delays;

    private Flights(List<Token> tokens, int[] delays) {
        this.tokens = tokens;
        this.delays = delays;
    }

    /**
     * Reads {@code flights.csv.gz} and {@code airports.txt}.
     *
     * @param limit the maximum number of flights to read
     */
    public static Flights read(Path folder, int limit) throws IOException {
        Map<String, Integer> airports = new HashMap<>();
        for (String airport : Files.readAllLines(folder.resolve("airports.txt"))) {
            airports.put(airport, airports.size());
        }
        List<Token> tokens = new ArrayList<>();
        List<Integer> delays = new ArrayList<>();
        try (BufferedReader lines = open(folder.resolve("flights.csv.gz"))) {
            lines.readLine(); // the names of the columns
            String line;
            while (tokens.size() < limit && (line = lines.readLine()) != null) {
                String[] columns = line.split(",");
                tokens.add(token(columns, tokens.size(), airports));
                delays.add(Integer.valueOf(columns[7]));
            }
        }
        return new Flights(
                List.copyOf(tokens), delays.stream().mapToInt(Integer::intValue).toArray());
    }

    /** T tokens; the position of each is its index. */
    public List<Token> tokens() {
        return tokens;
    }

    /**
     * The same tokens with the features as columns: {@code numeric}, a vector of the first eight,
     * {@code origin} and {@code destination}, the ids of the airports.
     *
     * @param inputs the inputs of a model that has these columns
     */
    public List<Token> typedTokens(InputLayout inputs) {
        TypedValuesBuilder builder = new TypedValuesBuilder(inputs);
        List<Token> typed = new ArrayList<>(tokens.size());
        for (Token token : tokens) {
            float[] features = token.values();
            builder.set("numeric", Arrays.copyOf(features, NUMERIC))
                    .set("origin", (long) features[NUMERIC])
                    .set("destination", (long) features[NUMERIC + 1]);
            typed.add(
                    Token.of(token.stream(), token.position(), token.timestamp(), builder.build()));
        }
        return typed;
    }

    /** The label of each of the T tokens: whether the flight was late. */
    public boolean[] late() {
        return labels(LATE).isPositive();
    }

    /** The true answers to a task. */
    public FlightLabels labels(FlightTask task) {
        boolean[] isPositive = new boolean[delays.length];
        for (int i = 0; i < delays.length; i++) {
            isPositive[i] = task.isPositive().test(delays[i]);
        }
        return new FlightLabels(task, isPositive);
    }

    /**
     * The features are computed in double precision and rounded once. Their bits are then those of
     * the training data.
     */
    private static Token token(String[] columns, long position, Map<String, Integer> airports) {
        LocalDateTime scheduled = LocalDateTime.parse(columns[0]);
        double minute = scheduled.getHour() * 60 + scheduled.getMinute();
        long day = ChronoUnit.DAYS.between(FIRST_DAY, scheduled.toLocalDate());
        double ofDay = minute / 1440 * 2 * Math.PI;
        double ofWeek = day % 7 / 7.0 * 2 * Math.PI;
        float[] values = {
            (float) StrictMath.sin(ofDay),
            (float) StrictMath.cos(ofDay),
            (float) StrictMath.sin(ofWeek),
            (float) StrictMath.cos(ofWeek),
            (float) (StrictMath.log(1 + Double.parseDouble(columns[3])) / 8),
            (float) (Double.parseDouble(columns[4]) / 30),
            (float) (Double.parseDouble(columns[5]) / 30),
            (float) (Double.parseDouble(columns[6]) / 30),
            airports.get(columns[1]),
            airports.get(columns[2])
        };
        long timestamp = scheduled.toInstant(ZoneOffset.UTC).toEpochMilli();
        return new Token(columns[1], position, timestamp, values);
    }

    private static BufferedReader open(Path file) throws IOException {
        return new BufferedReader(
                new InputStreamReader(
                        new GZIPInputStream(Files.newInputStream(file)), StandardCharsets.UTF_8));
    }
}
