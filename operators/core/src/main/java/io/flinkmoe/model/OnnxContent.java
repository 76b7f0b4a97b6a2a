// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import io.flinkmoe.model.graph.FileContent;
import io.flinkmoe.model.proto.InlinedModel;
import io.flinkmoe.model.proto.ProtoReader;
import java.io.IOException;
import java.nio.file.Path;
import org.apache.flink.annotation.Internal;

/** An ONNX file of a user as it stands in a bundle: with all its weights in one file. */
@Internal
public final class OnnxContent {

    private OnnxContent() {}

    /**
     * Finds the files of a model. They are read when the content is written.
     *
     * @throws BundleException if weights of the model are in a separate file that is missing, too
     *     short or in another folder, or if the model has 2 GiB or more with them
     */
    public static FileContent of(Path file) throws IOException {
        try {
            FileContent content = InlinedModel.of(file);
            content.size();
            return content;
        } catch (InlinedModel.ExternalFileException | IllegalArgumentException e) {
            throw new BundleException(file, e.getMessage(), e);
        } catch (ProtoReader.MalformedException e) {
            throw new BundleException(
                    file, "it is not an ONNX model, or it is damaged: " + e.getMessage(), e);
        }
    }
}
