// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.registry;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.kafka.registry.RegistryException.Kind;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.avro.Schema;
import org.junit.jupiter.api.Test;

class WriterSchemasTest {

    private static final Schema SCHEMA = Schema.create(Schema.Type.STRING);
    private static final Duration PATIENCE = Duration.ofMillis(300);

    private final AtomicInteger asked = new AtomicInteger();

    @Test
    void asksOnceForASchema() {
        WriterSchemas schemas = schemas(id -> SCHEMA);

        schemas.await(List.of(7, 7));
        schemas.await(List.of(7));

        assertThat(schemas.schema(7)).contains(SCHEMA);
        assertThat(schemas.rejection(7)).isEmpty();
        assertThat(asked).hasValue(1);
    }

    @Test
    void waitsForAnIdThatTheRegistryLearnsLate() {
        WriterSchemas schemas =
                schemas(
                        id -> {
                            if (asked.get() < 3) {
                                throw new RegistryException(Kind.UNKNOWN, "unknown");
                            }
                            return SCHEMA;
                        });

        schemas.await(List.of(7));

        assertThat(schemas.schema(7)).contains(SCHEMA);
    }

    @Test
    void rejectsIdsThatStayUnknownAllInTheSameTime() {
        WriterSchemas schemas =
                schemas(
                        id -> {
                            throw new RegistryException(Kind.UNKNOWN, "no schema " + id);
                        });
        long start = System.nanoTime();

        schemas.await(List.of(7, 8, 9));

        assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThan(PATIENCE);
        assertThat(schemas.schema(8)).isEmpty();
        assertThat(schemas.rejection(8)).contains("no schema 8");
        int before = asked.get();
        schemas.await(List.of(7, 8, 9));
        assertThat(asked).as("not asked again soon").hasValue(before);
    }

    @Test
    void rejectsAtOnceWhatIsUnusable() {
        WriterSchemas schemas =
                schemas(
                        id -> {
                            throw new RegistryException(Kind.UNUSABLE, "Protobuf");
                        });

        schemas.await(List.of(7));

        assertThat(schemas.rejection(7)).contains("Protobuf");
        assertThat(asked).hasValue(1);
    }

    @Test
    void waitsForARegistryThatIsAwayAndSaysSinceWhen() throws Exception {
        CountDownLatch back = new CountDownLatch(1);
        CountDownLatch tried = new CountDownLatch(3);
        WriterSchemas schemas =
                schemas(
                        id -> {
                            tried.countDown();
                            if (back.getCount() > 0) {
                                throw new RegistryException(Kind.AWAY, "refused");
                            }
                            return SCHEMA;
                        });
        Thread waiting = new Thread(() -> schemas.await(List.of(7, 8)));
        waiting.start();

        assertThat(tried.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(schemas.away())
                .get()
                .extracting(WriterSchemas.Away::reason)
                .isEqualTo("refused");
        assertThat(schemas.rejection(7)).isEmpty();
        back.countDown();
        waiting.join();

        assertThat(schemas.away()).isEmpty();
        assertThat(schemas.schema(8)).contains(SCHEMA);
    }

    @Test
    void lastsLongerThanItsPatienceWhileTheRegistryIsAway() {
        WriterSchemas schemas =
                schemas(
                        id -> {
                            int call = asked.get();
                            if (call == 1) {
                                throw new RegistryException(Kind.UNKNOWN, "unknown");
                            }
                            if (call < 6) {
                                throw new RegistryException(Kind.AWAY, "refused");
                            }
                            if (call == 6) {
                                throw new RegistryException(Kind.UNKNOWN, "not yet");
                            }
                            return SCHEMA;
                        });

        schemas.await(List.of(7));

        assertThat(schemas.schema(7)).contains(SCHEMA);
    }

    @Test
    void letsThreadsGoWhenItIsClosed() throws Exception {
        CountDownLatch tried = new CountDownLatch(1);
        WriterSchemas schemas =
                schemas(
                        id -> {
                            tried.countDown();
                            throw new RegistryException(Kind.AWAY, "refused");
                        });
        Thread waiting = new Thread(() -> schemas.await(List.of(7)));
        waiting.start();
        tried.await();

        schemas.close();
        waiting.join(10_000);

        assertThat(waiting.isAlive()).isFalse();
        assertThat(schemas.rejection(7)).isEmpty();
    }

    private WriterSchemas schemas(WriterSchemas.Source source) {
        return new WriterSchemas(
                id -> {
                    asked.incrementAndGet();
                    return source.byId(id);
                },
                PATIENCE);
    }
}
