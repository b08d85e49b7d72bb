/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring: position p of the order lives in slot p % slots. Workers take positions in order and stay less than the
 * ring ahead of the batch that is lent out. A slot's content depends only on the order and the files, and everything
 * that is counted is counted by the taker in order, so the number of threads changes nothing but the time.
 */
#include "data/ahead.h"

#include "invar/memory.h"
#include <pthread.h>

#define BATCHES 3                      /* in the ring: one lent out, two ahead */
#define HELD_LIMIT ((size_t)512 << 20) /* bytes of decoded images above which only the next batch is decoded */

struct slot {
    struct data_image image;
    int64_t index;          /* within the split, of what the slot holds; -1: nothing readable was found */
    bool done, bad;         /* bad: its own sample could not be decoded */
    struct invar_error why; /* of that, or of a failure that ends everything (data_ends) */
};

struct data_ahead {
    struct invar_dataset *dataset;
    enum invar_split split;
    int64_t batch, slots;
    struct slot *slot;

    pthread_mutex_t lock;
    pthread_cond_t work, done; /* for the workers; for the taker */
    const int64_t *order;
    int64_t whole, count; /* places of the order; positions, which are those of the part */
    struct invar_loader_part part;
    int64_t lent, taken, next; /* positions: first of the batch lent out, first not taken, first not begun */
    int busy;                  /* workers decoding */
    size_t held;               /* bytes in all slots */
    bool halted, stop;         /* begin nothing; leave */
    int threads;
    pthread_t *thread;
};

int64_t data_place(const struct invar_loader_part *part, int64_t position)
{
    return part->first + position / part->each * part->stride + position % part->each;
}

/* The position's own sample or, when it is bad, the next good one of the whole order, which begins again at its end. */
static void fill(const struct data_ahead *ahead, struct slot *slot, int64_t position, struct data_decoder *decoder)
{
    const int64_t tries = data_dataset_bad_allowed(ahead->dataset, ahead->split) + 1;
    const int64_t place = data_place(&ahead->part, position);
    slot->bad = false;
    slot->index = -1;
    invar_error_clear(&slot->why);
    for (int64_t i = 0; i <= tries && i < ahead->whole; i++) {
        struct invar_error err = {0};
        int64_t index = ahead->order[(place + i) % ahead->whole];
        if (data_dataset_decode(ahead->dataset, ahead->dataset->items[ahead->split][index], decoder, &slot->image,
                                &err)) {
            slot->index = index;
            return;
        }
        if (i == 0 || data_ends(&err))
            slot->why = err;
        slot->bad = slot->bad || i == 0;
        if (data_ends(&err))
            return;
    }
}

static bool may_begin(const struct data_ahead *ahead)
{
    if (ahead->halted || ahead->next >= ahead->count || ahead->next >= ahead->lent + ahead->slots)
        return false;
    return ahead->held < HELD_LIMIT || ahead->next < ahead->taken + ahead->batch;
}

static void *run(void *argument)
{
    struct data_ahead *ahead = argument;
    struct data_decoder decoder = {0};

    pthread_mutex_lock(&ahead->lock);
    while (!ahead->stop) {
        if (!may_begin(ahead)) {
            pthread_cond_wait(&ahead->work, &ahead->lock);
            continue;
        }
        int64_t position = ahead->next++;
        struct slot *slot = &ahead->slot[position % ahead->slots];
        size_t before = slot->image.capacity;
        ahead->busy++;
        pthread_mutex_unlock(&ahead->lock);
        fill(ahead, slot, position, &decoder);
        pthread_mutex_lock(&ahead->lock);
        ahead->busy--;
        ahead->held += slot->image.capacity;
        ahead->held -= before;
        slot->done = true;
        pthread_cond_signal(&ahead->done);
    }
    pthread_mutex_unlock(&ahead->lock);
    data_decoder_free(&decoder);
    return NULL;
}

/* Slots of positions [from, to) are free again; images above the limit are given back. */
static void release(struct data_ahead *ahead, int64_t from, int64_t to)
{
    for (int64_t p = from; p < to; p++) {
        struct slot *slot = &ahead->slot[p % ahead->slots];
        slot->done = false;
        if (ahead->held >= HELD_LIMIT) {
            ahead->held -= slot->image.capacity;
            data_image_free(&slot->image);
        }
    }
}

struct data_ahead *data_ahead_create(struct invar_dataset *dataset, enum invar_split split, int64_t batch,
                                     struct invar_error *err)
{
    struct data_ahead *ahead = invar_alloc(1, sizeof *ahead, err);
    if (!ahead)
        return NULL;
    ahead->dataset = dataset;
    ahead->split = split;
    ahead->batch = batch;
    ahead->slots = batch * BATCHES;
    ahead->halted = true;
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->work, NULL);
    pthread_cond_init(&ahead->done, NULL);
    ahead->slot = invar_alloc((size_t)ahead->slots, sizeof *ahead->slot, err);
    ahead->thread = invar_alloc((size_t)dataset->workers, sizeof *ahead->thread, err);
    if (!ahead->slot || !ahead->thread)
        goto failed;
    for (; ahead->threads < dataset->workers; ahead->threads++)
        if (pthread_create(&ahead->thread[ahead->threads], NULL, run, ahead) != 0) {
            invar_error_set(err, INVAR_ERROR_MEMORY, "decoding thread %d of %d cannot be started; lower data.workers",
                            ahead->threads + 1, dataset->workers);
            goto failed;
        }
    return ahead;
failed:
    data_ahead_free(ahead);
    return NULL;
}

void data_ahead_free(struct data_ahead *ahead)
{
    if (!ahead)
        return;
    pthread_mutex_lock(&ahead->lock);
    ahead->stop = true;
    pthread_cond_broadcast(&ahead->work);
    pthread_mutex_unlock(&ahead->lock);
    for (int i = 0; i < ahead->threads; i++)
        pthread_join(ahead->thread[i], NULL);
    for (int64_t i = 0; ahead->slot && i < ahead->slots; i++)
        data_image_free(&ahead->slot[i].image);
    pthread_cond_destroy(&ahead->work);
    pthread_cond_destroy(&ahead->done);
    pthread_mutex_destroy(&ahead->lock);
    invar_free(ahead->slot);
    invar_free(ahead->thread);
    invar_free(ahead);
}

void data_ahead_halt(struct data_ahead *ahead)
{
    pthread_mutex_lock(&ahead->lock);
    ahead->halted = true;
    while (ahead->busy > 0) /* they read order and count */
        pthread_cond_wait(&ahead->done, &ahead->lock);
    release(ahead, ahead->lent, ahead->next);
    ahead->lent = ahead->taken = ahead->next = 0;
    pthread_mutex_unlock(&ahead->lock);
}

void data_ahead_start(struct data_ahead *ahead, const int64_t *order, int64_t whole,
                      const struct invar_loader_part *part, int64_t count)
{
    pthread_mutex_lock(&ahead->lock);
    ahead->order = order;
    ahead->whole = whole;
    ahead->part = *part;
    ahead->count = count;
    ahead->halted = false;
    pthread_cond_broadcast(&ahead->work);
    pthread_mutex_unlock(&ahead->lock);
}

/* One finished slot as a sample; here, in order, bad ones are counted. */
static bool lend(struct data_ahead *ahead, const struct slot *slot, int64_t position, struct invar_sample *sample,
                 struct invar_error *err)
{
    struct invar_dataset *dataset = ahead->dataset;
    if (data_ends(&slot->why))
        return invar_error_set(err, slot->why.code, "%s", slot->why.message);
    if (slot->bad &&
        !data_dataset_bad(dataset, dataset->items[ahead->split][ahead->order[data_place(&ahead->part, position)]],
                          slot->why.message, err))
        return false;
    if (slot->index < 0)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: no readable image follows this one: %s",
                               dataset->options.source, slot->why.message);
    data_dataset_note(dataset, dataset->items[ahead->split][slot->index], &slot->image);
    const struct data_shape shape = {slot->image.height, slot->image.width, (uint8_t)slot->image.unit};
    *sample = data_dataset_describe(dataset, shape, slot->image.pixels);
    sample->index = slot->index;
    sample->label = dataset->labels[ahead->split][slot->index];
    if (dataset->groups[ahead->split])
        sample->group = dataset->groups[ahead->split][slot->index];
    return true;
}

bool data_ahead_take(struct data_ahead *ahead, struct invar_sample *samples, int64_t count, struct invar_error *err)
{
    int64_t first = ahead->taken;

    pthread_mutex_lock(&ahead->lock);
    release(ahead, ahead->lent, ahead->taken);
    ahead->lent = ahead->taken;
    pthread_cond_broadcast(&ahead->work);
    for (int64_t p = first; p < first + count; p++)
        while (!ahead->slot[p % ahead->slots].done)
            pthread_cond_wait(&ahead->done, &ahead->lock);
    ahead->taken += count;
    pthread_cond_broadcast(&ahead->work);
    pthread_mutex_unlock(&ahead->lock);
    for (int64_t i = 0; i < count; i++)
        if (!lend(ahead, &ahead->slot[(first + i) % ahead->slots], first + i, &samples[i], err))
            return false;
    return true;
}
