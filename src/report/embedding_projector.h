/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_EMBEDDING_PROJECTOR_H
#define INVAR_REPORT_EMBEDDING_PROJECTOR_H

#include "invar/data.h"
#include "invar/device.h"
#include "invar/encoder.h"
#include "invar/run.h"
#include "invar/watch.h"

/** What TensorBoard's embedding projector is to show. Everything is borrowed. */
struct embedding_projector_subject {
    struct invar_device *device;
    const struct invar_encoder *encoder;
    struct invar_dataset *dataset;
    enum invar_split split;
    const char *name;                    /**< of the embedding: the folder of the run */
    const struct invar_run_options *how; /**< what it was opened with, to write over nothing of it; may be NULL */
    int64_t most_samples;                /**< evenly spaced ones where there are more */
    const struct invar_watch *watch;     /**< may be NULL */
};

/**
 * Writes into the folder (made where it is missing) tensors.bytes (float32 [samples][D], h under the plain view),
 * metadata.tsv (label and number of every sample), sprite.png (what the encoder saw; not of tables) and, last,
 * projector_config.pbtxt, which names them. *samples: how many it were. Refused: a split without samples, data of
 * another kind than the encoder's, a representation that is not finite; a folder where one of these files is data.
 */
bool report_embedding_projector_write(const char *folder, const struct embedding_projector_subject *subject,
                                      int64_t *samples, struct invar_error *err);

#endif
