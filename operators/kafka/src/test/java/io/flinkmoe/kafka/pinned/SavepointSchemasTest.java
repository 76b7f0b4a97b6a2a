// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.pinned;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.kafka.pinned.PinnedSchemas.Pinned;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.runtime.checkpoint.Checkpoints;
import org.apache.flink.runtime.checkpoint.OperatorState;
import org.apache.flink.runtime.checkpoint.metadata.CheckpointMetadata;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.state.memory.ByteStreamStateHandle;
import org.apache.flink.streaming.api.graph.StreamGraphHasherV2;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A savepoint as Flink writes it, with the state of a source's coordinator. */
class SavepointSchemasTest {

    private static final String UID = "source";

    private static final PinnedSchemas SCHEMAS =
            PinnedSchemas.NONE
                    .with(PinnedSchemas.VALUE, new Pinned("\"é\"".repeat(40_000), "version 3", 7))
                    .with(PinnedSchemas.ANSWER, new Pinned("\"int\"", "", Pinned.NO_ID));

    private static final PinnedState<String> STATE = new PinnedState<>(SCHEMAS, new Text());

    @TempDir Path dir;

    /** The state of an enumerator is a text here. */
    private static final class Text implements SimpleVersionedSerializer<String> {

        @Override
        public int getVersion() {
            return 2;
        }

        @Override
        public byte[] serialize(String text) {
            return text.getBytes();
        }

        @Override
        public String deserialize(int version, byte[] bytes) {
            assertThat(version).isEqualTo(2);
            return new String(bytes);
        }
    }

    @Test
    void theStateOfTheEnumeratorFollowsTheSchemasAndOldStatesHaveNone() throws Exception {
        byte[] bytes = STATE.serialize("state");

        assertThat(STATE.deserialize(STATE.getVersion(), bytes)).isEqualTo("state");
        assertThat(STATE.deserialize(2, "old".getBytes())).isEqualTo("old");
        assertThat(PinnedState.schemas(STATE.getVersion(), bytes)).isEqualTo(SCHEMAS);
        assertThat(PinnedState.schemas(2, "old".getBytes()).isEmpty()).isTrue();
    }

    @Test
    void areFoundInTheDirectoryAndInTheMetadataFile() throws Exception {
        write(coordinator(STATE.getVersion(), STATE.serialize("state")));

        assertThat(SavepointSchemas.read(dir.toString(), UID)).isEqualTo(SCHEMAS);
        assertThat(SavepointSchemas.read(dir.toUri().toString(), UID)).isEqualTo(SCHEMAS);
        assertThat(SavepointSchemas.read(dir.resolve("_metadata").toString(), UID))
                .isEqualTo(SCHEMAS);
        assertThat(SavepointSchemas.read(dir.toString(), UID).get(PinnedSchemas.VALUE))
                .hasValueSatisfying(schema -> assertThat(schema.id()).isEqualTo(7));
    }

    @Test
    void anotherOperatorAnOldStateAndNoStateHaveNone() throws Exception {
        write(coordinator(2, "old".getBytes()));
        assertThat(SavepointSchemas.read(dir.toString(), UID).isEmpty()).isTrue();
        assertThat(SavepointSchemas.read(dir.toString(), "another").isEmpty()).isTrue();
        write(null);
        assertThat(SavepointSchemas.read(dir.toString(), UID).isEmpty()).isTrue();
    }

    @Test
    void whatCannotBeReadIsNamed() throws Exception {
        String path = dir.toString();
        assertThatThrownBy(() -> SavepointSchemas.read(path, UID))
                .hasMessageStartingWith(
                        "the pinned schemas of source cannot be read from the savepoint " + path);

        byte[] state = STATE.serialize("state");
        write(coordinator(STATE.getVersion(), Arrays.copyOf(state, 100)));
        assertThatThrownBy(() -> SavepointSchemas.read(path, UID)).hasMessageContaining(path);

        Files.write(dir.resolve("_metadata"), new byte[] {1, 2, 3});
        assertThatThrownBy(() -> SavepointSchemas.read(path, UID)).hasMessageContaining(path);
    }

    /** As Flink's SourceCoordinator writes it. */
    private static byte[] coordinator(int version, byte[] state) throws Exception {
        DataOutputSerializer out = new DataOutputSerializer(64);
        out.writeInt(1);
        out.writeInt(version);
        out.writeInt(state.length);
        out.write(state);
        return out.getCopyOfBuffer();
    }

    private void write(byte[] coordinator) throws Exception {
        OperatorID id = new OperatorID(StreamGraphHasherV2.generateUserSpecifiedHash(UID));
        OperatorState operator = new OperatorState(UID, UID, id, 1, 1);
        if (coordinator != null) {
            operator.setCoordinatorState(new ByteStreamStateHandle("coordinator", coordinator));
        }
        try (OutputStream out = Files.newOutputStream(dir.resolve("_metadata"))) {
            Checkpoints.storeCheckpointMetadata(
                    new CheckpointMetadata(1, List.of(operator), List.of()), out);
        }
    }
}
