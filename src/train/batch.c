/* SPDX-License-Identifier: Apache-2.0 */
/* The batch of a step. */
#include "train/batch.h"

#include "invar/expert/random.h"

#include <string.h>

/* Views that are mixed, or have another clip in the background, are made of two samples of the batch, and the other may
 * be one of another rank: then every rank makes the views of all, and keeps its own. */
static bool is_whole(const struct invar_batch *b)
{
    const struct invar_view_options *views = &b->given->recipe->views;
    bool mixes = views->clips.background > 0;

    for (int v = 0; v < views->mix.count; v++)
        mixes = mixes || views->mix.value[v] > 0;
    return b->all > b->size && mixes;
}

int64_t batch_loaded(const struct invar_batch *b)
{
    return b->whole_views ? b->all : b->size;
}

int64_t batch_own(const struct invar_batch *b)
{
    return b->whole_views ? b->first : 0;
}

bool batch_share(const struct invar_batch *b, int64_t *all, struct invar_error *err)
{
    return b->all == b->size || b->whole_views ||
           ranks_gather(b->given->options.ranks, all, (size_t)b->size * sizeof *all, all, err);
}

bool batch_create(struct invar_batch *b, struct invar_error *err)
{
    const struct invar_given *given = b->given;
    const struct invar_dataset_info *info = given->info;
    const int64_t side = given->recipe->views.local_size;
    size_t floats;

    /* Each is made where the one before it is there: whatever fails, batch_free frees the rest. */
    /* No overflow: a net has been made for global views, and a plan for their number. */
    b->global_size = (int64_t)info->channels * info->height * info->width;
    b->input_size = b->global_rows * b->global_size + (b->rows - b->global_rows) * info->channels * side * side;
    floats = (size_t)b->input_size;
    if (!invar_view_options_check(&given->recipe->views, info, err))
        return false;
    if (invar_device_is_planning(given->device))
        return true;
    if (is_whole(b) && !(b->whole_views = invar_alloc(floats / (size_t)b->size, (size_t)b->all * sizeof(float), err)))
        return false;
    b->loader = given->feed ? NULL : invar_loader_create(given->dataset, INVAR_TRAIN, batch_loaded(b), err);
    b->maker = b->loader || given->feed ? invar_view_maker_create(&given->recipe->views, info, err) : NULL;
    b->loaded = b->maker ? invar_alloc((size_t)batch_loaded(b), sizeof *b->loaded, err) : NULL;
    b->samples = b->loaded ? b->loaded + batch_own(b) : NULL;
    b->order = b->loaded ? invar_alloc((size_t)(given->feed ? 1 : b->sample_count), sizeof *b->order, err) : NULL;
    b->host_views = b->order ? invar_alloc(floats, sizeof(float), err) : NULL;
    b->input = b->host_views ? invar_device_alloc(given->device, floats, sizeof(float), err) : NULL;
    b->order_epoch = -1;
    return b->input != NULL;
}

void batch_free(struct invar_batch *b)
{
    invar_loader_free(b->loader);
    invar_view_maker_free(b->maker);
    plain_free(b);
    invar_free(b->loaded);
    invar_free(b->whole_views);
    invar_free(b->groups);
    invar_free(b->labels);
    invar_free(b->order);
    invar_free(b->host_views);
    invar_device_free(b->given->device, b->input);
}

/* The order of an epoch is a function of seed and epoch, so a resumed run only has to skip what it has seen. What is
 * left over when the samples do not fill the last batch is dropped, and differs from epoch to epoch: a smaller batch
 * would need plans of its own, and its losses are not those of the others. Of every batch a rank takes its stretch. */
static bool start_epoch(struct invar_batch *b, const struct invar_clock *k, struct invar_error *err)
{
    const struct invar_given *given = b->given;
    const int64_t epoch = clock_epoch(k);
    const int64_t seen = (k->step - epoch * k->steps_per_epoch) * b->all;
    const struct invar_loader_part own = {b->whole_views ? 0 : b->first, batch_loaded(b), b->all};
    struct invar_random random =
        invar_random_stream((uint64_t)given->recipe->training.seed, INVAR_RANDOM_ORDER, (uint64_t)epoch, 0, 0);

    for (int64_t i = 0; i < b->sample_count; i++)
        b->order[i] = given->options.samples ? given->options.samples[i] : i;
    invar_random_shuffle(&random, b->order, b->sample_count);
    b->order_epoch = epoch;
    return invar_loader_start_part(b->loader, b->order + seen, k->steps_per_epoch * b->all - seen, &own, err);
}

/* The views of the samples of this rank, out of those of all: views stand one behind the other in both, local ones,
 * which are smaller, last. */
static void keep_own_views(struct invar_batch *b)
{
    const int64_t local =
        b->views > b->global_views ? (b->input_size - b->global_rows * b->global_size) / (b->rows - b->global_rows) : 0;
    const float *from = b->whole_views;
    float *to = b->host_views;

    for (int64_t v = 0; v < b->views; v++) {
        const int64_t floats = v < b->global_views ? b->global_size : local;
        memcpy(to, from + b->first * floats, (size_t)(b->size * floats) * sizeof *to);
        from += b->all * floats;
        to += b->size * floats;
    }
}

static bool make_views(struct invar_batch *b, struct invar_error *err)
{
    const int64_t count = batch_loaded(b);

    if (!invar_view_maker_batch(b->maker, b->loaded, count, (uint64_t)b->given->recipe->training.seed,
                                (uint64_t)b->order_epoch, b->whole_views ? b->whole_views : b->host_views, err))
        return false;
    if (b->whole_views)
        keep_own_views(b);
    return true;
}

/* The samples of a step: of the epoch's order, or those that are handed in. */
static bool load(struct invar_batch *b, const struct invar_clock *k, struct invar_error *err)
{
    const struct invar_feed *feed = b->given->feed;
    const int64_t count = batch_loaded(b);
    int64_t got = 0;

    if (feed) {
        b->order_epoch = 0;
        return feed->next(feed->user, k->step, b->loaded, count, err);
    }
    if ((clock_epoch(k) != b->order_epoch && !start_epoch(b, k, err)) ||
        !invar_loader_next(b->loader, b->loaded, &got, err))
        return false;
    return got == count ||
           invar_error_set(err, INVAR_ERROR_DATA, "%s: a batch of %lld samples is expected, %lld are left",
                           b->given->info->source, (long long)count, (long long)got);
}

/* Data, then views: the clock is read between them, as which of the two is the bottleneck is the first question of a
 * slow run. Views are drawn by the number of the sample within the data set, never by its place in the batch or by
 * the thread that makes them, so that neither batch size nor threads change what a sample looks like in an epoch. The
 * copy to the device is the last thing: on a device with memory of its own it can overlap with nothing of this step,
 * but loading already works on the next batch in threads of its own. What one rank cannot read ends the step of all. */
bool batch_fill(struct invar_batch *b, const struct invar_clock *k, struct invar_error *err)
{
    const struct invar_given *given = b->given;
    double clock = times_now();
    bool ok = load(b, k, err);

    times_lap(given->times, INVAR_WORK_DATA, &clock);
    ok = ok && make_views(b, err);
    if (!ranks_agree(given->options.ranks, ok, err) || !groups_fill(b, err) || !labels_fill(b, err) ||
        !plain_fill(b, err))
        return false;
    invar_device_upload(given->device, b->input, b->host_views, (size_t)b->input_size * sizeof(float));
    times_lap(given->times, INVAR_WORK_VIEWS, &clock);
    return true;
}

/* Every step, since what views are mixed of has its place from the first batch on alone. */
void batch_offer(const struct invar_batch *b, struct invar_embeddings *e)
{
    e->groups = b->groups;
    e->labels = b->labels;
    e->partner = b->maker ? invar_view_maker_drawn(b->maker)->partner : NULL;
    e->share = b->maker ? invar_view_maker_drawn(b->maker)->share : NULL;
    plain_offer(b, e);
}
