/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged files of one format inside a data set that is otherwise good. */
#ifndef INVAR_TESTS_FUZZ_DATA_H
#define INVAR_TESTS_FUZZ_DATA_H

#include "data/make.h"
#include "fuzz/mutate.h"

static struct invar_data_options fuzz_options;

/** Opens the data set and hands out all of it. */
static inline bool fuzz_dataset(const char *path, struct invar_error *err)
{
    struct invar_sample samples[4];
    int64_t order[4096], got = 1, count;
    (void)path;
    struct invar_dataset *dataset = invar_dataset_open(&fuzz_options, err);
    if (!dataset)
        return false;
    count = invar_dataset_info(dataset)->count[INVAR_TRAIN];
    count = count < 4096 ? count : 4096;
    for (int64_t i = 0; i < count; i++)
        order[i] = i;
    struct invar_loader *loader = invar_loader_create(dataset, INVAR_TRAIN, 4, err);
    bool ok = loader && invar_loader_start(loader, order, count, err);
    while (ok && got > 0)
        ok = invar_loader_next(loader, samples, &got, err);
    invar_loader_free(loader);
    invar_dataset_close(dataset);
    return ok;
}

/** Fuzzes folder/name, whose good content is given (and freed), as a part of format:path. */
static inline void fuzz_part(const char *folder, const char *name, struct bytes good, const char *format,
                             const char *path)
{
    struct bytes copy = {0};
    bytes_put(&copy, good.data, good.size);
    const char *written = bytes_write(&copy, folder, name);
    char place[1024];
    snprintf(place, sizeof place, "%s", written);
    fuzz_options = make_options(format, path);
    fuzz_options.workers = 1;
    fuzz_options.memory_limit = 64;
    fuzz_file(place, good.data, good.size, fuzz_dataset);
    bytes_done(&good);
}

#endif
