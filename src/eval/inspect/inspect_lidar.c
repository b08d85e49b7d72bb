/* SPDX-License-Identifier: Apache-2.0 */
/* LiDAR of h and z: many views of each of some samples, drawn by sample and view, so that those of a sample stand
 * together whatever the data are like. */
#include "eval/inspect/inspect.h"
#include "invar/measure.h"

#include <stdio.h>
#include <string.h>

enum { SPACES = 2 };

/* [samples][views][width] of h and z */
struct views {
    int64_t samples, count, width[SPACES];
    float *x[SPACES];
};

static bool keep(struct views *v, int64_t first, const struct embed_rows *rows, struct invar_error *err)
{
    const struct invar_array *const from[SPACES] = {rows->h, rows->z};

    /* A sample that fails in a later pass would shift all rows behind it, and views of two samples would be taken for
     * one's. */
    if (rows->rows != v->samples)
        return invar_error_set(err, INVAR_ERROR_DATA, "%lld of the %lld samples could not be read again",
                               (long long)(v->samples - rows->rows), (long long)v->samples);
    for (int s = 0; s < SPACES; s++)
        /* Of an odd number of views the last pass makes one too many, which is dropped. */
        for (int64_t k = 0; v->x[s] && k < 2 && first + k < v->count; k++)
            for (int64_t i = 0; i < v->samples; i++)
                memcpy(v->x[s] + (i * v->count + first + k) * v->width[s],
                       (const float *)from[s][k].data + i * v->width[s], (size_t)v->width[s] * sizeof(float));
    return true;
}

static bool room(struct views *v, const struct inspect *in, int64_t samples, struct invar_error *err)
{
    v->samples = samples;
    v->width[0] = in->out->h_width;
    v->width[1] = in->out->z_width;
    for (int s = 0; s < SPACES; s++) {
        if (!v->width[s])
            continue;
        v->x[s] = invar_alloc((size_t)(samples * v->count) + 1, (size_t)v->width[s] * sizeof(float), err);
        if (!v->x[s])
            return false;
    }
    return true;
}

/* Two views a pass, each pass in an epoch of its own; of representations from elsewhere there are the two. */
static bool gather(struct inspect *in, struct views *v, struct invar_error *err)
{
    struct pass_options pass = {.split = in->subject->split};
    bool ok = true;

    if (!in->subject->encoder) {
        v->count = 2;
        return room(v, in, in->drawn.rows, err) && keep(v, 0, &in->drawn, err);
    }
    /* Epochs go downwards from one that no training reaches, so that no view here is one that the encoder has seen. */
    v->count = in->options->lidar_views;
    int64_t *order = inspect_spaced(invar_dataset_info(in->subject->dataset)->count[in->subject->split],
                                    in->options->lidar_samples, &pass.count, err);
    pass.order = order;
    ok = order != NULL;
    for (int64_t first = 0; ok && first < v->count; first += 2) {
        struct embed_rows rows = {0};
        ok = inspect_embed_pairs(in, "views of LiDAR", &pass, (uint64_t)(INSPECT_EPOCH_LIDAR - first / 2), true, &rows,
                                 err) &&
             (first || room(v, in, rows.rows, err)) && keep(v, first, &rows, err);
        embed_rows_free(&rows);
    }
    invar_free(order);
    return ok;
}

static bool measure(struct inspect *in, const struct views *v, int s, struct invar_error *err)
{
    struct invar_findings *out = &in->out->section[s ? INVAR_INSPECT_EMBEDDING : INVAR_INSPECT_REPRESENTATION];
    const size_t count = (size_t)(v->samples * v->count * v->width[s]);
    struct invar_matrix x = {INVAR_FLOAT32, v->samples * v->count, v->width[s], NULL};
    struct invar_error why = {0};
    char says[INVAR_FINDING_TEXT];
    double lidar;

    invar_scratch_reset(in->scratch);
    x.data = invar_device_take(in->scratch, count + 1, sizeof(float), err);
    if (!x.data)
        return false;
    invar_device_upload(in->subject->device, x.data, v->x[s], count * sizeof(float));
    /* delta 1e-4 of [LD1]: without it the scatter within samples has no inverse where a column is constant, or where
     * there are more columns than views have degrees of freedom. */
    if (!invar_measure_lidar(in->subject->device, in->scratch, &x, v->count, 1e-4, 0, NULL, &lidar, &why)) {
        if (!inspect_is_finding(&why))
            return invar_error_set(err, why.code, "%s", why.message);
        inspect_add_unknown(out, "lidar", "directions", why.message);
        return true;
    }
    /* The sentence has both numbers: LiDAR is at most the samples less one and depends on how many views there are, so
     * that runs of other numbers are not to be compared. */
    snprintf(
        says, sizeof says,
        "LiDAR: directions that tell samples apart beyond what views of one differ by (%lld views of %lld samples)",
        (long long)v->count, (long long)v->samples);
    inspect_add(out, "lidar", "directions", lidar, says);
    return true;
}

bool inspect_lidar(struct inspect *in, struct invar_error *err)
{
    /* One finding a space, known or not: a report in which the line is missing would look like one of an older
     * version. */
    const char *why = in->options->lidar_samples < 1 ? "lidar_samples is 0"
                      : !inspect_has_pairs(in)       ? "the views are not known, so there are none to compare"
                                                     : NULL;
    struct views views = {0};

    if (why) {
        inspect_add_unknown(&in->out->section[INVAR_INSPECT_REPRESENTATION], "lidar", "directions", why);
        if (in->out->z_width)
            inspect_add_unknown(&in->out->section[INVAR_INSPECT_EMBEDDING], "lidar", "directions", why);
        return true;
    }
    const bool ok =
        gather(in, &views, err) && measure(in, &views, 0, err) && (!views.x[1] || measure(in, &views, 1, err));
    invar_free(views.x[0]);
    invar_free(views.x[1]);
    return ok;
}
