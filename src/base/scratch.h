/* SPDX-License-Identifier: Apache-2.0 */
/* Scratch over memory of two kinds: that of the host, and that of a device, which base knows nothing of. */
#ifndef INVAR_SRC_BASE_SCRATCH_H
#define INVAR_SRC_BASE_SCRATCH_H

#include "invar/memory.h"

/** Where the second kind comes from; take gives memory aligned to 64. */
struct scratch_source {
    void *(*take)(void *user, size_t bytes, struct invar_error *err);
    void (*give_back)(void *user, void *memory);
    void *user;
};
struct invar_scratch *scratch_create(const struct scratch_source *source, struct invar_error *err);
/** As invar_scratch_take, of the second kind. */
void *scratch_take_second(struct invar_scratch *scratch, size_t count, size_t size, struct invar_error *err);

#endif
