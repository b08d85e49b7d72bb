/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TRAIN_ALIKE_H
#define INVAR_TRAIN_ALIKE_H

#include "train/ranks.h"

/** What ranks are about to work on, beside data and machine. */
struct invar_alike_subject {
    const char *name; /**< for messages: "recipe" */
    uint64_t hash;
    enum invar_precision precision;
};
#define INVAR_ALIKE_BEGIN UINT64_C(0xcbf29ce484222325)
/** FNV-1a of bytes, behind those so far; of none INVAR_ALIKE_BEGIN. */
uint64_t alike_hash(uint64_t so_far, const void *bytes, size_t size);
/** Whether all have one word, in a sentence that "IS" is of, and what to do: process 2 IS its word, process 1 IS ... */
bool ranks_same(struct invar_ranks *ranks, const char *word, const char *is, const char *remedy,
                struct invar_error *err);
/** Compares data, threads, processor and subject of all ranks, on every one with the same outcome. Refused: a
 * difference, in a sentence that names the process. */
bool ranks_alike(struct invar_ranks *ranks, struct invar_device *device, const struct invar_dataset_info *info,
                 const struct invar_alike_subject *subject, struct invar_error *err);

#endif
