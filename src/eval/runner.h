/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_RUNNER_H
#define INVAR_EVAL_RUNNER_H

#include "invar/data.h"
#include "invar/device.h"
#include "invar/encoder.h"

enum { RUNNER_BATCH = 256 };

/** An encoder, and a projector behind it, in inference mode on a device. A zeroed runner may be closed. */
struct runner {
    struct invar_device *device;
    struct invar_weights *weights[2]; /**< [1] NULL without a projector */
    struct invar_plan *plan[2];
    float *input;       /**< device [RUNNER_BATCH][C][H][W] */
    float *h, *z;       /**< host [RUNNER_BATCH][...] of the last run; z NULL without a projector */
    int64_t input_size; /**< C*H*W */
    int64_t h_cols, z_cols;
};

/** projector may be NULL. Refused: weights that are not finite, a projector of another width than the encoder's. */
bool runner_open(struct runner *runner, struct invar_device *device, const struct invar_encoder *encoder,
                 const struct invar_head *projector, enum invar_precision precision, struct invar_error *err);
void runner_close(struct runner *runner);
/** views: host [got][C][H][W], got at most RUNNER_BATCH. */
bool runner_run(struct runner *runner, const float *views, int64_t got, struct invar_error *err);

/** How views of this encoder come out: its own size and standardisation, whatever the data set's are. */
bool runner_views(const struct invar_encoder *encoder, const struct invar_dataset_info *data,
                  struct invar_dataset_info *out, struct invar_error *err);

#endif
