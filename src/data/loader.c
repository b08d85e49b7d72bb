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
    int64_t count, capacity, position; /* count: of the part */
    struct invar_loader_part part;
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
    const int64_t each = count > 0 ? count : 1;
    return invar_loader_start_part(loader, order, count, &(struct invar_loader_part){0, each, each}, err);
}

/* How many of so many places are the part's. */
static int64_t part_of(const struct invar_loader_part *part, int64_t count)
{
    const int64_t rest = count - part->first;
    if (rest <= 0)
        return 0;
    const int64_t last = rest % part->stride;
    return rest / part->stride * part->each + (last < part->each ? last : part->each);
}

bool invar_loader_start_part(struct invar_loader *loader, const int64_t *order, int64_t count,
                             const struct invar_loader_part *part, struct invar_error *err)
{
    int64_t samples = loader->dataset->info.count[loader->split];
    if (part->first < 0 || part->each < 1 || part->each > part->stride)
        return invar_error_set(err, INVAR_ERROR_USAGE, "a part of %lld samples every %lld from place %lld on is none",
                               (long long)part->each, (long long)part->stride, (long long)part->first);
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
    loader->count = part_of(part, count);
    loader->part = *part;
    if (loader->ahead)
        data_ahead_start(loader->ahead, loader->order, count, part, loader->count);
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
            data_dataset_sample(loader->dataset, loader->split,
                                loader->order[data_place(&loader->part, loader->position + i)], &samples[i]);
    }
    loader->position += count;
    *got = count;
    return true;
}
