// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flink;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;

/** A client for Flink's REST API. */
@Internal
public class FlinkRest {

    private static final Duration TIMEOUT = Duration.ofSeconds(10);
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private final HttpClient http = HttpClient.newHttpClient();
    private final URI address;

    /**
     * @param address the address of a JobManager: http://host:port
     */
    public FlinkRest(URI address) {
        this.address = address;
    }

    /**
     * Sends a GET request, and returns the response.
     *
     * @throws IOException if no JobManager responds, or if the request fails
     */
    public JsonNode get(String path) throws IOException {
        HttpRequest request =
                HttpRequest.newBuilder(address.resolve(path)).timeout(TIMEOUT).build();
        try {
            HttpResponse<byte[]> response =
                    http.send(request, HttpResponse.BodyHandlers.ofByteArray());
            if (response.statusCode() != 200) {
                throw new IOException(
                        "the JobManager responded to %s with %d: %s"
                                .formatted(
                                        path,
                                        response.statusCode(),
                                        new String(response.body(), StandardCharsets.UTF_8)));
            }
            return MAPPER.readTree(response.body());
        } catch (ConnectException e) { // It has no message.
            throw new IOException("no JobManager listens at " + address, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while waiting for a JobManager", e);
        }
    }

    /**
     * The values of counters, summed over subtasks: one value for each vertex that reports the
     * counter, in the order of the stream. The JobManager updates the values with a delay ({@code
     * metrics.fetcher.update-interval}) and has no values of a vertex that has just started. The
     * last vertex is read first, so that no output count is newer than an input count.
     *
     * @param counters the names of the counters without the operator's name, such as {@code
     *     moe.ingest.numTokensIn}
     * @return the values by name; an empty list if there are none
     * @throws IOException if no JobManager responds, or if a request fails
     */
    public Map<String, List<Long>> counters(JobID job, List<String> counters) throws IOException {
        Map<String, List<Long>> sums = new HashMap<>();
        counters.forEach(counter -> sums.put(counter, new ArrayList<>()));
        JsonNode vertices = get("/jobs/" + job).path("vertices");
        for (int i = vertices.size() - 1; i >= 0; i--) {
            String metrics =
                    "/jobs/%s/vertices/%s/subtasks/metrics"
                            .formatted(job, vertices.path(i).path("id").asText());
            Map<String, String> wanted = new LinkedHashMap<>();
            for (JsonNode metric : get(metrics)) {
                String id = metric.path("id").asText();
                counters.stream()
                        .filter(counter -> id.endsWith("." + counter))
                        .forEach(counter -> wanted.put(id, counter));
            }
            if (!wanted.isEmpty()) {
                String ids =
                        URLEncoder.encode(
                                String.join(",", wanted.keySet()), StandardCharsets.UTF_8);
                for (JsonNode sum : get(metrics + "?agg=sum&get=" + ids)) {
                    sums.get(wanted.get(sum.path("id").asText())).add(0, sum.path("sum").asLong());
                }
            }
        }
        return sums;
    }

    /**
     * The values of a metric that an operator reports in the JobManager: one for each vertex that
     * has it.
     *
     * @param name the end of the metric's name
     * @throws IOException if no JobManager responds, or if a request fails
     */
    public List<String> jobManagerMetric(JobID job, String name) throws IOException {
        List<String> values = new ArrayList<>();
        for (JsonNode vertex : get("/jobs/" + job).path("vertices")) {
            String metrics =
                    "/jobs/%s/vertices/%s/jm-operator-metrics"
                            .formatted(job, vertex.path("id").asText());
            for (JsonNode metric : get(metrics)) {
                String id = metric.path("id").asText();
                if (id.endsWith("." + name)) {
                    String query = "?get=" + URLEncoder.encode(id, StandardCharsets.UTF_8);
                    get(metrics + query).forEach(value -> values.add(value.path("value").asText()));
                }
            }
        }
        return values;
    }

    /**
     * The lowest watermark that has reached a task; {@link Long#MIN_VALUE} if there is none yet.
     *
     * @throws IOException if no JobManager responds, or if a request fails
     */
    public long lowestWatermark(JobID job) throws IOException {
        List<Long> watermarks = new ArrayList<>();
        for (JsonNode vertex : get("/jobs/" + job).path("vertices")) {
            String path = "/jobs/%s/vertices/%s/watermarks";
            get(path.formatted(job, vertex.path("id").asText()))
                    .forEach(watermark -> watermarks.add(watermark.path("value").asLong()));
        }
        return watermarks.stream().mapToLong(Long::longValue).min().orElse(Long.MIN_VALUE);
    }
}
