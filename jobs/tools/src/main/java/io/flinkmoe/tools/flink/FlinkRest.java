package io.flinkmoe.tools.flink;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
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

/** Questions to Flink's REST API. */
@Internal
public class FlinkRest {

    private static final Duration TIMEOUT = Duration.ofSeconds(10);
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private final HttpClient http = HttpClient.newHttpClient();
    private final URI address;

    /**
     * @param address of a JobManager: http://host:port
     */
    public FlinkRest(URI address) {
        this.address = address;
    }

    /**
     * What is answered to GET.
     *
     * @throws IOException if no JobManager answers, or not with success
     */
    public JsonNode ask(String path) throws IOException {
        HttpRequest request =
                HttpRequest.newBuilder(address.resolve(path)).timeout(TIMEOUT).build();
        try {
            HttpResponse<byte[]> response =
                    http.send(request, HttpResponse.BodyHandlers.ofByteArray());
            if (response.statusCode() != 200) {
                throw new IOException(
                        "the JobManager answered %s with %d: %s"
                                .formatted(
                                        path,
                                        response.statusCode(),
                                        new String(response.body(), StandardCharsets.UTF_8)));
            }
            return MAPPER.readTree(response.body());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while a JobManager was asked", e);
        }
    }

    /**
     * The values of counters, summed over subtasks: one for each vertex that is known to have it,
     * in the order of the stream. The JobManager knows it with some delay ({@code
     * metrics.fetcher.update-interval}), and of a vertex that has just started nothing. The last
     * vertex is asked first, so that no count of what came out is newer than that of what went in.
     *
     * @param counters their names after that of the operator: {@code moe.ingest.numTokensIn}
     * @return the values by name; for one that nothing is known of, none
     * @throws IOException if no JobManager answers, or not with success
     */
    public Map<String, List<Long>> counters(JobID job, List<String> counters) throws IOException {
        Map<String, List<Long>> sums = new HashMap<>();
        counters.forEach(counter -> sums.put(counter, new ArrayList<>()));
        JsonNode vertices = ask("/jobs/" + job).path("vertices");
        for (int i = vertices.size() - 1; i >= 0; i--) {
            String metrics =
                    "/jobs/%s/vertices/%s/subtasks/metrics"
                            .formatted(job, vertices.path(i).path("id").asText());
            Map<String, String> wanted = new LinkedHashMap<>();
            for (JsonNode metric : ask(metrics)) {
                String id = metric.path("id").asText();
                counters.stream()
                        .filter(counter -> id.endsWith("." + counter))
                        .forEach(counter -> wanted.put(id, counter));
            }
            if (!wanted.isEmpty()) {
                String get =
                        URLEncoder.encode(
                                String.join(",", wanted.keySet()), StandardCharsets.UTF_8);
                for (JsonNode sum : ask(metrics + "?agg=sum&get=" + get)) {
                    sums.get(wanted.get(sum.path("id").asText())).add(0, sum.path("sum").asLong());
                }
            }
        }
        return sums;
    }
}
