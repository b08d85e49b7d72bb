/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of samples in a given order: straight from memory, or from the threads that decode ahead. */
#include "data/ahead.h"

#include "invar/memory.h"
#include <string.h>

struct invar_loader {
    struct invar_dataset *dataset;
    enum invar_split split;
    int64_t batch;
    int64_t *order;
    int64_t count, capacity, position;
    struct data_ahead *ahead; /* NULL: the set is in memory */
};

struct invar_loader *invar_loader_create(struct invar_dataset *dataset, enum invar_split split, int64_t batch,
                                         struct invar_error *err)
{
    if (batch < 1 || batch > 1 << 20) {
        invar_error_set(err, INVAR_ERROR_USAGE, "a batch of %lld samples, expected 1 to %d", (long long)batch, 1 << 20);
        return NULL;
    }
    if (dataset->info.assumed) {
        invar_error_set(err, INVAR_ERROR_USAGE, "%s: was only planned for and has no samples to load",
                        dataset->options.source);
        return NULL;
    }
    struct invar_loader *loader = invar_alloc(1, sizeof *loader, err);
    if (!loader)
        return NULL;
    loader->dataset = dataset;
    loader->split = split;
    loader->batch = batch;
    if (!dataset->info.in_memory) {
        loader->ahead = data_ahead_create(dataset, split, batch, err);
        if (!loader->ahead) {
            invar_loader_free(loader);
            return NULL;
        }
    }
    return loader;
}

void invar_loader_free(struct invar_loader *loader)
{
    if (!loader)
        return;
    data_ahead_free(loader->ahead);
    invar_free(loader->order);
    invar_free(loader);
}

bool invar_loader_start(struct invar_loader *loader, const int64_t *order, int64_t count, struct invar_error *err)
{
    int64_t samples = loader->dataset->info.count[loader->split];
    for (int64_t i = 0; i < count; i++)
        if (order[i] < 0 || order[i] >= samples)
            return invar_error_set(err, INVAR_ERROR_USAGE, "sample %lld does not exist, the split has 0 to %lld",
                                   (long long)order[i], (long long)samples - 1);
    if (loader->ahead)
        data_ahead_halt(loader->ahead);
    loader->count = loader->position = 0;
    if (count > loader->capacity) {
        invar_free(loader->order);
        loader->capacity = 0;
        loader->order = invar_alloc((size_t)count, sizeof *loader->order, err);
        if (!loader->order)
            return false;
        loader->capacity = count;
    }
    if (count > 0)
        memcpy(loader->order, order, (size_t)count * sizeof *order);
    loader->count = count;
    if (loader->ahead)
        data_ahead_start(loader->ahead, loader->order, count);
    return true;
}

bool invar_loader_next(struct invar_loader *loader, struct invar_sample *samples, int64_t *got, struct invar_error *err)
{
    int64_t rest = loader->count - loader->position;
    int64_t count = rest < loader->batch ? rest : loader->batch;

    *got = 0;
    if (loader->ahead) {
        if (count > 0 && !data_ahead_take(loader->ahead, samples, count, err))
            return false;
    } else {
        for (int64_t i = 0; i < count; i++)
            data_dataset_sample(loader->dataset, loader->split, loader->order[loader->position + i], &samples[i]);
    }
    loader->position += count;
    *got = count;
    return true;
}
