/* SPDX-License-Identifier: Apache-2.0 */
/* The batch of a step. */
#include "train/batch.h"

#include "invar/expert/random.h"

bool invar_batch_create(struct invar_batch *b, struct invar_error *err)
{
    const struct invar_given *given = b->given;
    const struct invar_dataset_info *info = invar_dataset_info(given->dataset);
    const int64_t side = given->recipe->views.local_size;
    size_t floats;

    /* Each is made where the one before it is there: whatever fails, invar_batch_free frees the rest. */
    /* No overflow: a net has been made for global views, and a plan for their number. */
    b->global_size = (int64_t)info->channels * info->height * info->width;
    b->input_size = b->global_rows * b->global_size + (b->rows - b->global_rows) * info->channels * side * side;
    floats = (size_t)b->input_size;
    if (!invar_view_options_check(&given->recipe->views, info, err))
        return false;
    if (invar_device_is_planning(given->device))
        return true;
    b->loader = invar_loader_create(given->dataset, INVAR_TRAIN, b->size, err);
    b->maker = b->loader ? invar_view_maker_create(&given->recipe->views, info, err) : NULL;
    b->samples = b->maker ? invar_alloc((size_t)b->size, sizeof *b->samples, err) : NULL;
    b->order = b->samples ? invar_alloc((size_t)b->sample_count, sizeof *b->order, err) : NULL;
    b->host_views = b->order ? invar_alloc(floats, sizeof(float), err) : NULL;
    b->input = b->host_views ? invar_device_alloc(given->device, floats, sizeof(float), err) : NULL;
    b->order_epoch = -1;
    return b->input != NULL;
}

void invar_batch_free(struct invar_batch *b)
{
    invar_loader_free(b->loader);
    invar_view_maker_free(b->maker);
    invar_plain_free(b);
    invar_free(b->samples);
    invar_free(b->groups);
    invar_free(b->labels);
    invar_free(b->order);
    invar_free(b->host_views);
    invar_device_free(b->given->device, b->input);
}

/* The order of an epoch is a function of seed and epoch, so a resumed run only has to skip what it has seen. What is
 * left over when the samples do not fill the last batch is dropped, and differs from epoch to epoch: a smaller batch
 * would need plans of its own, and its losses are not those of the others. */
static bool start_epoch(struct invar_batch *b, const struct invar_clock *k, struct invar_error *err)
{
    const struct invar_given *given = b->given;
    const int64_t epoch = invar_clock_epoch(k), seen = (k->step - epoch * k->steps_per_epoch) * b->size;
    struct invar_random random =
        invar_random_stream((uint64_t)given->recipe->training.seed, INVAR_RANDOM_ORDER, (uint64_t)epoch, 0, 0);

    for (int64_t i = 0; i < b->sample_count; i++)
        b->order[i] = given->options.samples ? given->options.samples[i] : i;
    invar_random_shuffle(&random, b->order, b->sample_count);
    b->order_epoch = epoch;
    return invar_loader_start(b->loader, b->order + seen, k->steps_per_epoch * b->size - seen, err);
}

/* Data, then views: the clock is read between them, as which of the two is the bottleneck is the first question of a
 * slow run. Views are drawn by the number of the sample within the data set, never by its place in the batch or by
 * the thread that makes them, so that neither batch size nor threads change what a sample looks like in an epoch. The
 * copy to the device is the last thing: on a device with memory of its own it can overlap with nothing of this step,
 * but loading already works on the next batch in threads of its own. */
bool invar_batch_fill(struct invar_batch *b, const struct invar_clock *k, struct invar_error *err)
{
    const struct invar_given *given = b->given;
    double clock = invar_times_now();
    int64_t got = 0;

    if (invar_clock_epoch(k) != b->order_epoch && !start_epoch(b, k, err))
        return false;
    if (!invar_loader_next(b->loader, b->samples, &got, err))
        return false;
    if (got != b->size)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: a batch of %lld samples is expected, %lld are left",
                               invar_dataset_info(given->dataset)->source, (long long)b->size, (long long)got);
    invar_groups_fill(b);
    invar_labels_fill(b);
    invar_times_lap(given->times, INVAR_WORK_DATA, &clock);
    if (!invar_view_maker_batch(b->maker, b->samples, b->size, (uint64_t)given->recipe->training.seed,
                                (uint64_t)b->order_epoch, b->host_views, err) ||
        !invar_plain_fill(b, err))
        return false;
    invar_device_upload(given->device, b->input, b->host_views, (size_t)b->input_size * sizeof(float));
    invar_times_lap(given->times, INVAR_WORK_VIEWS, &clock);
    return true;
}

/* Every step, since what views are mixed of has its place from the first batch on alone. */
void invar_batch_offer(const struct invar_batch *b, struct invar_embeddings *e)
{
    e->groups = b->groups;
    e->labels = b->labels;
    e->partner = b->maker ? invar_view_maker_drawn(b->maker)->partner : NULL;
    e->share = b->maker ? invar_view_maker_drawn(b->maker)->share : NULL;
    invar_plain_offer(b, e);
}
