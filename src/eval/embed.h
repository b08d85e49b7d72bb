/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_EMBED_H
#define INVAR_EVAL_EMBED_H

#include "eval/pass.h"
#include "eval/runner.h"
#include "invar/watch.h"

/** What became of the samples of a pass that could be read: one row each, in its order. A zeroed one may be freed. */
struct embed_rows {
    int64_t rows;
    struct invar_array labels;            /**< int64 [rows]; -1 where there is none */
    struct invar_array index;             /**< int64 [rows]: number of the sample within its split */
    struct invar_array h[PASS_MAX_VIEWS]; /**< float32 [rows][D] by view; the second of drawn views only */
    struct invar_array z[PASS_MAX_VIEWS]; /**< float32 [rows][d]; with a projector only */
    int64_t pooled;                       /**< rows of h[0] that are means over windows */
    struct invar_array input;             /**< float32 [..][C*H*W] of the first view, of every input_stride-th row */
};
void embed_rows_free(struct embed_rows *rows);

/** Samples through encoder and projector (may be NULL); encoder NULL: the inputs alone. A representation that is not
 * finite is an error that names its sample. watch may be NULL. */
struct embed_work {
    struct invar_device *device;
    const struct invar_encoder *encoder;
    const struct invar_head *projector;
    struct invar_dataset *dataset;
    struct pass_options pass;
    enum invar_precision precision;
    int64_t input_stride; /**< 0: no inputs are kept */
    bool features;        /**< without an encoder: the plain views are h */
    bool windows;         /**< h of a sample larger than what the encoder sees is the mean over its windows; of plain
                             views, without a projector and inputs */
    const char *what;     /**< what watch calls it */
    const struct invar_watch *watch;
};
bool embed_run(const struct embed_work *work, struct embed_rows *out, struct invar_error *err);

#endif
