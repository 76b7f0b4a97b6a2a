// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class DroppedFieldsWatchTest {

    private final DroppedFieldsWatch watch = new DroppedFieldsWatch();

    @Test
    void namesTheFieldsOfAllReaders() {
        assertThat(watch.look()).isEmpty();

        watch.update(new DroppedFields(Set.of("geo.city")));
        watch.update(new DroppedFields(Set.of("extra", "geo.city")));

        assertThat(watch.look())
                .containsExactly(
                        "Fields are dropped that the pinned schema does not have: extra, geo.city."
                                + " Submit the job with a newer schema to read them.");
        assertThat(SourceWatches.subject(watch.look().get(0)))
                .isEqualTo("Fields are dropped that the pinned schema does not have");
    }

    @Test
    void namesSomeOfMany() {
        watch.update(
                new DroppedFields(
                        IntStream.range(10, 23)
                                .mapToObj(i -> "f" + i)
                                .collect(Collectors.toSet())));

        assertThat(watch.look().get(0)).contains("f10, ", "f19 and 3 more.");
    }
}
