/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_RUN_METADATA_H
#define INVAR_RUN_METADATA_H

#include "base/json_table.h"
#include "invar/results.h"

/** What the header of encoder.safetensors, or of a checkpoint, says of how it came about (docs/files.md). */
struct run_metadata {
    const char *version, *identity; /**< NULL: it does not say */
    int64_t steps;                  /**< of training; 0: it does not say */
    struct {
        int64_t count;
        const struct invar_measured_on *item;
    } machines; /**< that it was trained on, in the order of the steps */
    struct json_room room;
};
/** False with err for a file that cannot be read or is torn; free it in either case. */
bool run_metadata_read(struct run_metadata *out, const char *path, struct invar_error *err);
void run_metadata_free(struct run_metadata *metadata);

#endif
