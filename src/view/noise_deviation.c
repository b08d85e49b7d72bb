/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Noise on a finished view, in units of what is standardised: on the numeric columns of a table, where one-hot places
 * and indicators stay, and on every number of an image or a spectrogram.
 */

#include "view/view.h"

#define CHUNK 512

struct options {
    struct invar_real_list deviation; /* by view */
};
struct draws {
    float deviation;
    uint32_t key[2];
};
VIEW_OWN_FITS(struct options, struct draws);

const struct invar_option view_noise_deviation_options[] = {
    {"noise_deviation", INVAR_OPTION_REAL_LIST, offsetof(struct options, deviation), "[0]", 0, 100, NULL,
     "standard deviation by view of noise on standardised numbers: of numeric columns, images, spectrograms"},
    {0},
};

void view_add_normals(struct invar_random *random, float deviation, float *x, size_t count)
{
    float normal[CHUNK];

    for (size_t from = 0; from < count; from += CHUNK) {
        const size_t size = count - from < CHUNK ? count - from : CHUNK;
        invar_random_normals(random, normal, (int64_t)size);
        for (size_t i = 0; i < size; i++)
            x[from + i] += deviation * normal[i];
    }
}

static void draw(struct invar_view_params *params, const struct invar_view_options *options,
                 const struct invar_sample *sample, int view, struct invar_random *random)
{
    const struct options *own = VIEW_OWN(noise_deviation, options);
    struct draws *drawn = VIEW_DRAW(noise_deviation, params);

    (void)sample;
    drawn->deviation = (float)view_list_at(&own->deviation, view);
    drawn->key[0] = invar_random_bits(random);
    drawn->key[1] = invar_random_bits(random);
}

static bool applies(const struct view_job *job)
{
    const struct draws *drawn = VIEW_DRAWN(noise_deviation, job->params);
    return drawn->deviation > 0.0f;
}

static void apply(const struct view_job *job)
{
    const struct draws *drawn = VIEW_DRAWN(noise_deviation, job->params);
    const struct invar_table *table = job->output->table;
    const size_t numbers = table ? 0 : view_pixels(job) * (size_t)job->output->channels;
    struct invar_random random = view_keyed(drawn->key);

    view_add_normals(&random, drawn->deviation, job->image, numbers);
    for (int c = 0; table && c < table->count; c++)
        if (table->column[c].kind == INVAR_COLUMN_NUMERIC)
            job->image[table->column[c].first] += drawn->deviation * invar_random_normal(&random);
}

const struct view_operation view_noise_deviation = {
    "noise_deviation", VIEW_IMAGES | VIEW_CLIPS | VIEW_TABLES, 26, draw, applies, apply, true};
