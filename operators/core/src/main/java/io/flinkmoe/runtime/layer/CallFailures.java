// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import ai.onnxruntime.OrtException;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.onnx.ExpertModel;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.FlinkException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What happens when an expert's call throws: {@link FailJob} or {@link KeepResidual}. */
@Internal
public interface CallFailures {

    /**
     * Handles a failed call. If this method returns, the rows are executed one by one, and those
     * that throw are FAILED.
     *
     * @param rows the number of rows in the call
     * @throws FlinkException to fail the job
     */
    void onFailure(ExpertModel model, int rows, OrtException cause) throws FlinkException;

    /**
     * Returns the behavior that an option selects.
     *
     * @param layer the MoE layer, counted from 0
     * @param modelVersion the version of the bundle, for messages
     */
    static CallFailures of(MoeOptions.OnError onError, int layer, String modelVersion) {
        return switch (onError) {
            case FAIL -> new FailJob(layer, modelVersion);
            case RESIDUAL -> new KeepResidual(layer, modelVersion);
        };
    }

    private static String message(
            int layer, String modelVersion, ExpertModel model, int rows, OrtException cause) {
        return "layer %d: %s (model version %s) failed on %d rows: %s"
                .formatted(layer, model.file(), modelVersion, rows, cause.getMessage());
    }

    /** Fails the job. */
    record FailJob(int layer, String modelVersion) implements CallFailures {
        @Override
        public void onFailure(ExpertModel model, int rows, OrtException cause)
                throws FlinkException {
            throw new FlinkException(
                    "%s. Set %s to residual to mark such rows FAILED and keep their residual."
                            .formatted(
                                    message(layer, modelVersion, model, rows, cause),
                                    MoeOptions.EXPERT_ON_ERROR.key()),
                    cause);
        }
    }

    /** Logs the failure; the tokens keep their residual. */
    record KeepResidual(int layer, String modelVersion) implements CallFailures {

        private static final Logger LOG = LoggerFactory.getLogger(CallFailures.class);

        @Override
        public void onFailure(ExpertModel model, int rows, OrtException cause) {
            LOG.warn(
                    "{}. Rows that fail alone keep their residual.",
                    message(layer, modelVersion, model, rows, cause));
        }
    }
}
