/* SPDX-License-Identifier: Apache-2.0 */
/* Sets in memory: every image decoded once, packed into large blocks. */
#include "data/dataset.h"

#include "invar/log.h"
#include "invar/memory.h"
#include <string.h>

#define BLOCK_SIZE ((size_t)4 << 20)
#define PROBES 64 /* images decoded to guess what all of them take */

struct data_block {
    struct data_block *next;
    uint8_t *bytes;
};

struct holding {
    struct invar_dataset *dataset;
    size_t limit;
    size_t used; /* by all threads */
    bool full;
};

static uint8_t *take(struct data_arena *arena, size_t size, struct invar_error *err)
{
    if (size > arena->left) {
        size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        struct data_block *block = invar_alloc(1, sizeof *block, err);
        uint8_t *bytes = block ? invar_alloc(room, 1, err) : NULL;
        if (!bytes) {
            invar_free(block);
            return NULL;
        }
        *block = (struct data_block){arena->block, bytes};
        arena->block = block;
        arena->left = room;
    }
    /* Taken from the end, so that what is left alone says where. */
    arena->left -= size;
    return arena->block->bytes + arena->left;
}

static void release(struct invar_dataset *dataset)
{
    for (int t = 0; dataset->arenas && t < dataset->workers; t++)
        for (struct data_block *block = dataset->arenas[t].block, *next; block; block = next) {
            next = block->next;
            invar_free(block->bytes);
            invar_free(block);
        }
    invar_free(dataset->arenas);
    dataset->arenas = NULL;
}

void data_hold_free(struct invar_dataset *dataset)
{
    release(dataset);
    invar_free(dataset->pixels);
    invar_free(dataset->shape);
    dataset->pixels = NULL;
    dataset->shape = NULL;
}

static bool keep(void *user, int thread, int64_t item, const struct data_image *image, struct invar_error *err)
{
    struct holding *holding = user;
    struct invar_dataset *dataset = holding->dataset;
    if (!image)
        return true;
    size_t size = data_image_bytes(image), used;
#pragma omp atomic capture
    used = holding->used += size;
    if (used > holding->limit) {
#pragma omp atomic write
        holding->full = true;
        return false;
    }
    uint8_t *pixels = take(&dataset->arenas[thread], size, err);
    if (!pixels)
        return false;
    memcpy(pixels, image->pixels, size);
    dataset->noted[item] = data_dataset_notes(dataset, image);
    dataset->pixels[item] = pixels;
    dataset->shape[item] = (struct data_shape){image->height, image->width, (uint8_t)image->unit};
    return true;
}

static bool measure(void *user, int thread, int64_t item, const struct data_image *image, struct invar_error *err)
{
    size_t *total = user, size = image ? data_image_bytes(image) : 0;
    (void)thread, (void)item, (void)err;
#pragma omp atomic
    *total += size;
    return true;
}

static bool may_vary(const struct invar_dataset *dataset)
{
    return dataset->options.size != 0 || dataset->source.kind == INVAR_DATA_AUDIO;
}

/* Whether decoding everything is worth trying: exact when all sizes agree, guessed from a few when they vary. */
static bool seems_to_fit(struct invar_dataset *dataset, size_t limit, bool *fits, struct invar_error *err)
{
    double count = (double)dataset->source.count;
    *fits = true;
    if (limit == SIZE_MAX)
        return true;
    double each = (double)dataset->height * dataset->width * dataset->channels * (double)dataset->unit;
    if (may_vary(dataset) && dataset->source.count > PROBES) {
        int64_t probe[PROBES];
        size_t total = 0;
        for (int64_t i = 0; i < PROBES; i++)
            probe[i] = dataset->source.count / PROBES * i;
        if (!data_dataset_visit(dataset, probe, PROBES, measure, &total, err))
            return false;
        each = (double)total / PROBES / 2; /* photos vary: only a clear excess is decided here */
    }
    *fits = each * count <= (double)limit;
    return true;
}

/* The source holds the pixels as they are wanted. */
static bool adopt(struct invar_dataset *dataset)
{
    dataset->pixels = dataset->source.pixels;
    dataset->source.pixels = NULL;
    dataset->info.in_memory = true;
    return true;
}

static void find_varying(struct invar_dataset *dataset)
{
    bool varying = false, types = false;
    for (int64_t i = 0; i < dataset->source.count; i++) {
        const struct data_shape *shape = &dataset->shape[i];
        varying = varying || (!dataset->bad[i] && (shape->height != dataset->height || shape->width != dataset->width));
        types = types || (!dataset->bad[i] && shape->unit != dataset->unit);
    }
    dataset->info.varying = varying;
    if (!varying && !types) {
        invar_free(dataset->shape);
        dataset->shape = NULL;
    }
}

static void count_notes(struct invar_dataset *dataset)
{
    struct invar_dataset_info *info = &dataset->info;

    for (int64_t i = 0; i < dataset->source.count; i++) {
        info->turned += (dataset->noted[i] & DATA_TURNED) != 0;
        info->converted += (dataset->noted[i] & DATA_CONVERTED) != 0;
    }
    if (info->turned)
        invar_log(INVAR_LOG_INFO, "%s: %lld images %s", dataset->options.source, (long long)info->turned,
                  info->ignores_orientation ? "are not upright by their EXIF orientation and left so"
                                            : "turned as their EXIF orientation says");
    if (info->converted)
        invar_log(INVAR_LOG_INFO, "%s: %lld images are %s", dataset->options.source, (long long)info->converted,
                  info->conversion);
}

static bool hold_all(struct invar_dataset *dataset, size_t limit, struct invar_error *err)
{
    struct holding holding = {.dataset = dataset, .limit = limit};
    struct invar_error why = {0};
    int64_t count = dataset->source.count;
    bool ok = false;
    int64_t *items = invar_alloc((size_t)count, sizeof *items, err);

    dataset->pixels = invar_alloc((size_t)count, sizeof *dataset->pixels, err);
    dataset->shape = invar_alloc((size_t)count, sizeof *dataset->shape, err);
    dataset->arenas = invar_alloc((size_t)dataset->workers, sizeof *dataset->arenas, err);
    if (!items || !dataset->pixels || !dataset->shape || !dataset->arenas)
        goto done;
    for (int64_t i = 0; i < count; i++)
        items[i] = i;
    ok = data_dataset_visit(dataset, items, count, keep, &holding, &why);
    if (ok) {
        find_varying(dataset);
        count_notes(dataset);
        data_source_release(&dataset->source);
        dataset->info.in_memory = true;
    } else if (holding.full) {
        memset(dataset->noted, 0, (size_t)count * sizeof *dataset->noted);
        data_hold_free(dataset);
        ok = true;
    } else {
        invar_error_set(err, why.code, "%s", why.message);
    }
done:
    invar_free(items);
    return ok;
}

bool data_hold(struct invar_dataset *dataset, struct invar_error *err)
{
    const struct data_source *source = &dataset->source;
    size_t limit = data_memory_limit(&dataset->options);
    bool fits = true;

    dataset->info.varying = may_vary(dataset);
    if (source->pixels) {
        dataset->info.varying = false;
        if (source->channels == dataset->channels)
            return adopt(dataset);
        limit = SIZE_MAX; /* held already, in other channels */
    } else if (dataset->options.memory == INVAR_DATA_MEMORY_NO) {
        return true;
    }
    if (!seems_to_fit(dataset, limit, &fits, err))
        return false;
    if (fits && !hold_all(dataset, limit, err))
        return false;
    if (!dataset->info.in_memory)
        invar_log(INVAR_LOG_INFO,
                  "%s: does not fit data.memory_limit=%lld MiB, images are decoded when they are needed",
                  dataset->options.source, (long long)dataset->options.memory_limit);
    return true;
}
