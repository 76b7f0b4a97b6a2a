package io.flinkmoe.routing;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** A golden case: its configuration and tensors. */
record GoldenTensors(Path folder, String system, JsonNode config, List<String> names) {

    private static final Path CASES = Path.of("src/test/resources/golden");

    /** All cases. */
    static Stream<GoldenTensors> all() {
        try (Stream<Path> folders = Files.list(CASES)) {
            return folders
                    .filter(Files::isDirectory)
                    .sorted()
                    .map(GoldenTensors::read)
                    .toList()
                    .stream();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The cases of a system. */
    static Stream<GoldenTensors> of(String system) {
        return all().filter(golden -> golden.system.equals(system));
    }

    boolean has(String tensor) {
        return names.contains(tensor);
    }

    int num(String key, int otherwise) {
        return config.path(key).asInt(otherwise);
    }

    int numExperts() {
        return config.required("num_experts").intValue();
    }

    float[] floats(String tensor) {
        try (SafetensorsFile file = SafetensorsFile.open(tensors(folder))) {
            return file.floats(tensor);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    int[] ints(String tensor) {
        try (SafetensorsFile file = SafetensorsFile.open(tensors(folder))) {
            return file.ints(tensor);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public String toString() {
        return folder.getFileName().toString();
    }

    private static GoldenTensors read(Path folder) {
        try (SafetensorsFile file = SafetensorsFile.open(tensors(folder))) {
            JsonNode json = new ObjectMapper().readTree(folder.resolve("case.json").toFile());
            return new GoldenTensors(
                    folder,
                    json.required("system").textValue(),
                    json.required("config"),
                    List.copyOf(file.tensors().keySet()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Path tensors(Path folder) {
        return folder.resolve("tensors.safetensors");
    }
}
