/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring: batch number b of a start (cell b / batches, images from b % batches on) lies in slot b % SLOTS. Workers
 * take pieces of batches in order and stay less than the ring ahead of the batch that is lent out. What a slot holds
 * depends on the images and the cell alone, so that the number of threads changes nothing but the time.
 */
#include "eval/corruption/corruptor.h"
#include "invar/memory.h"

#include <omp.h>
#include <pthread.h>
#include <string.h>

/* Three: one is lent to the network, one is full and waits, one is being filled. */
enum { SLOTS = 3, PIECE = 8 /* images that a worker takes at once */ };

/* What one thread works with. */
struct worker {
    struct corruptor *shared;
    struct invar_corruption_scratch *scratch;
    struct invar_view_workspace *workspace;
    uint8_t *pixels; /* one corrupted image */
    pthread_t thread;
};

struct slot {
    float *views;
    int64_t left; /* pieces not done */
};

struct corruptor {
    const struct invar_robustness_cell *cells;
    int cell_count;
    const struct invar_robustness_options *options;
    struct invar_view_output output;
    int64_t batch, image_size; /* images; numbers of one */

    pthread_mutex_t lock;
    pthread_cond_t work, done; /* for the workers; for the taker */
    struct corruptor_images images;
    int64_t batches, pieces;   /* of a cell; of a whole batch */
    int64_t next, taken, lent; /* pieces begun; batches taken; batches whose slots are free again */
    struct slot slot[SLOTS];
    bool failed, stop;
    struct invar_error why;
    int threads; /* started */
    int worker_count;
    struct worker *workers;
};

/* As the plain view of the network would be made of it, so that the pixels pass through one function in both cases. */
static bool corrupt(struct worker *worker, const struct invar_robustness_cell *cell, int64_t i, float *view,
                    struct invar_error *err)
{
    const struct corruptor *c = worker->shared;
    const struct invar_corruption_options options = {
        .severity = cell->severity, .table = c->options->table, .seed = c->options->seed, .frost = c->options->frost};
    const struct invar_corruption_image image = {c->images.pixels + i * c->image_size, c->output.height,
                                                 c->output.width, c->output.channels};
    const struct invar_sample sample = {.kind = INVAR_DATA_IMAGE,
                                        .dtype = INVAR_UINT8,
                                        .height = c->output.height,
                                        .width = c->output.width,
                                        .channels = c->output.channels,
                                        .data = worker->pixels};

    return invar_corrupt(cell->corruption, &options, &image, (uint64_t)c->images.index[i], worker->pixels,
                         worker->scratch, err) &&
           invar_view_plain(&c->output, &sample, worker->workspace, view, err);
}

/* One piece of a batch. Pieces of a few images, as corruptions differ in cost by a factor of a hundred and a thread
 * must not be left with a whole batch of the slow one. */
static bool fill(struct worker *worker, int64_t number, int64_t piece, struct invar_error *err)
{
    struct corruptor *c = worker->shared;
    const struct invar_robustness_cell *cell = &c->cells[number / c->batches];
    const int64_t first = number % c->batches * c->batch, rest = c->images.count - first;
    const int64_t count = rest < c->batch ? rest : c->batch;
    /* A last batch that is not full has pieces beyond its end, which are empty: a count that is the same for all
     * batches needs no case of its own. */
    float *views = c->slot[number % SLOTS].views;

    for (int64_t i = piece * PIECE; i < (piece + 1) * PIECE && i < count; i++)
        if (!corrupt(worker, cell, first + i, views + i * c->image_size, err))
            return false;
    return true;
}

/* A worker may go into the next cell while batches of this one are being classified, which keeps all busy at the
 * seams. */
static bool may_begin(const struct corruptor *c)
{
    const int64_t number = c->pieces ? c->next / c->pieces : 0;

    return !c->failed && number < c->batches * c->cell_count && number < c->lent + SLOTS;
}

/* Nothing but numbers is touched under the lock. The first failure is the one that is told; the others stop at their
 * next piece. */
static void *run(void *argument)
{
    struct worker *worker = argument;
    struct corruptor *c = worker->shared;

    pthread_mutex_lock(&c->lock);
    while (!c->stop) {
        if (!may_begin(c)) {
            pthread_cond_wait(&c->work, &c->lock);
            continue;
        }
        const int64_t number = c->next / c->pieces, piece = c->next % c->pieces;
        struct invar_error err = {0};
        c->next++;
        pthread_mutex_unlock(&c->lock);
        const bool ok = fill(worker, number, piece, &err);
        pthread_mutex_lock(&c->lock);
        if (!ok && !c->failed) {
            c->failed = true;
            /* By value: the worker goes on without anyone to give it to, and the taker may come much later. */
            c->why = err;
        }
        /* One taker waits, so that a signal is enough; a failure wakes it too, since the batch that it waits for may
         * never come. */
        if (--c->slot[number % SLOTS].left == 0 || c->failed)
            pthread_cond_signal(&c->done);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* Deviations of constant channels are 1, as the training's views have it. */
static void output_make(struct invar_view_output *output, const struct invar_dataset_info *info)
{
    *output = (struct invar_view_output){
        .kind = info->kind, .height = info->height, .width = info->width, .channels = info->channels};
    for (int i = 0; i < 16; i++) {
        output->mean[i] = info->mean[i];
        output->deviation[i] = info->deviation[i] > 1e-6F ? info->deviation[i] : 1;
    }
}

/* Scratch memory is a worker's own: corruptions of different images never meet. */
static bool worker_start(struct corruptor *c, struct worker *worker, struct invar_error *err)
{
    worker->shared = c;
    worker->scratch = invar_corruption_scratch_create(err);
    worker->workspace = worker->scratch ? invar_view_workspace_create(&c->output, err) : NULL;
    worker->pixels = worker->workspace ? invar_alloc((size_t)c->image_size, 1, err) : NULL;
    if (!worker->pixels)
        return false;
    if (pthread_create(&worker->thread, NULL, run, worker) != 0)
        return invar_error_set(err, INVAR_ERROR_MEMORY, "corrupting thread %d of %d cannot be started; lower threads",
                               c->threads + 1, c->worker_count);
    c->threads++;
    return true;
}

/* Threads of its own and not OpenMP's: they work while the network, which is OpenMP's, computes. */
struct corruptor *corruptor_create(const struct invar_robustness_cell *cells, int count,
                                   const struct invar_robustness_options *options,
                                   const struct invar_dataset_info *info, int64_t batch, struct invar_error *err)
{
    struct corruptor *c = invar_alloc(1, sizeof *c, err);
    bool ok;

    if (!c)
        return NULL;
    c->cells = cells;
    c->cell_count = count;
    c->options = options;
    c->batch = batch;
    output_make(&c->output, info);
    c->image_size = (int64_t)info->channels * info->height * info->width;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->work, NULL);
    pthread_cond_init(&c->done, NULL);
    c->worker_count = omp_get_max_threads();
    c->workers = invar_alloc((size_t)c->worker_count, sizeof *c->workers, err);
    ok = c->workers != NULL;
    for (int i = 0; ok && i < SLOTS; i++) {
        c->slot[i].views = invar_alloc((size_t)batch, (size_t)c->image_size * sizeof(float), err);
        ok = c->slot[i].views != NULL;
    }
    for (int i = 0; ok && i < c->worker_count; i++)
        ok = worker_start(c, &c->workers[i], err);
    if (ok)
        return c;
    corruptor_free(c);
    return NULL;
}

/* Also of one that could not be made whole: as many threads are joined as were started. */
void corruptor_free(struct corruptor *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->lock);
    for (int i = 0; i < c->threads; i++)
        pthread_join(c->workers[i].thread, NULL);
    for (int i = 0; c->workers && i < c->worker_count; i++) {
        invar_corruption_scratch_free(c->workers[i].scratch);
        invar_view_workspace_free(c->workers[i].workspace);
        invar_free(c->workers[i].pixels);
    }
    for (int i = 0; i < SLOTS; i++)
        invar_free(c->slot[i].views);
    pthread_cond_destroy(&c->work);
    pthread_cond_destroy(&c->done);
    pthread_mutex_destroy(&c->lock);
    invar_free(c->workers);
    invar_free(c);
}

/* No worker is within a piece here: the one before was taken to its end, or has failed. */
void corruptor_start(struct corruptor *c, const struct corruptor_images *images)
{
    pthread_mutex_lock(&c->lock);
    c->images = *images;
    c->batches = (images->count + c->batch - 1) / c->batch;
    c->pieces = (c->batch + PIECE - 1) / PIECE;
    c->next = c->taken = c->lent = 0;
    for (int i = 0; i < SLOTS; i++)
        c->slot[i].left = c->pieces;
    pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->lock);
}

/* The slot that was lent out last is given back with this call, so that views are valid until the next one. */
bool corruptor_next(struct corruptor *c, struct corruptor_batch *batch, struct invar_error *err)
{
    struct slot *slot;
    bool ok;

    pthread_mutex_lock(&c->lock);
    *batch = (struct corruptor_batch){0};
    for (; c->lent < c->taken; c->lent++)
        c->slot[c->lent % SLOTS].left = c->pieces;
    pthread_cond_broadcast(&c->work);
    slot = &c->slot[c->taken % SLOTS];
    if (c->taken < c->batches * c->cell_count) {
        while (!c->failed && slot->left > 0)
            pthread_cond_wait(&c->done, &c->lock);
        const int64_t first = c->taken % c->batches * c->batch, rest = c->images.count - first;
        *batch = (struct corruptor_batch){(int)(c->taken / c->batches), first, rest < c->batch ? rest : c->batch,
                                          slot->views};
        c->taken++;
    }
    ok = !c->failed;
    if (!ok)
        invar_error_set(err, c->why.code, "%s", c->why.message);
    pthread_mutex_unlock(&c->lock);
    return ok;
}
