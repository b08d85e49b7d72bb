/* SPDX-License-Identifier: Apache-2.0 */
/* Representations of a data set: views, standardised as the encoder was trained, through inference plans. One way for
 * all who need them: probes, inspections and `invar embed` differ in what they keep, and their numbers are of the same
 * h. */
#include "eval/embed.h"
#include "eval/pooling.h"
#include "invar/eval.h"
#include "invar/memory.h"
#include "base/threads.h"

#include <math.h>
#include <string.h>

void invar_embedded_free(struct invar_embedded *embedded)
{
    if (!embedded)
        return;
    invar_array_free(&embedded->features);
    invar_array_free(&embedded->labels);
    invar_array_free(&embedded->index);
}

void embed_rows_free(struct embed_rows *rows)
{
    invar_array_free(&rows->labels);
    invar_array_free(&rows->index);
    invar_array_free(&rows->input);
    for (int v = 0; v < PASS_MAX_VIEWS; v++) {
        invar_array_free(&rows->h[v]);
        invar_array_free(&rows->z[v]);
    }
    *rows = (struct embed_rows){0};
}

static bool matrix_alloc(struct invar_array *out, int64_t rows, int64_t cols, struct invar_error *err)
{
    return invar_array_alloc(out, INVAR_FLOAT32, 2, (int64_t[]){rows, cols}, err);
}

/* For all samples that may come; unreadable ones make it less, and rows_cut says so at the end. */
static bool rows_alloc(const struct embed_work *work, const struct pass *pass, const struct runner *runner,
                       struct embed_rows *out, struct invar_error *err)
{
    /* Inputs are rounded up: of any number of rows the first one is kept. */
    if (!invar_array_alloc(&out->labels, INVAR_INT64, 1, &pass->total, err) ||
        !invar_array_alloc(&out->index, INVAR_INT64, 1, &pass->total, err) ||
        (work->input_stride &&
         !matrix_alloc(&out->input, (pass->total - 1) / work->input_stride + 1, pass->view_size, err)))
        return false;
    /* Without an encoder the view is the representation: files of other programs, and raw inputs as a baseline. */
    const int64_t cols = work->encoder ? runner->h_cols : pass->view_size;
    for (int v = 0; (work->encoder || work->features) && v < (pass->drawn ? 2 : 1); v++)
        if (!matrix_alloc(&out->h[v], pass->total, cols, err) ||
            (work->projector && !matrix_alloc(&out->z[v], pass->total, runner->z_cols, err)))
            return false;
    return true;
}

/* Memory stays as it is, the shape tells how much of it counts. */
static void rows_cut(const struct embed_work *work, struct embed_rows *out)
{
    out->labels.shape[0] = out->index.shape[0] = out->rows;
    if (work->input_stride)
        out->input.shape[0] = out->rows ? (out->rows - 1) / work->input_stride + 1 : 0;
    for (int v = 0; v < PASS_MAX_VIEWS; v++)
        out->h[v].shape[0] = out->z[v].shape[0] = out->rows;
}

/* Row `to` of an array from row i of a batch. Checked as it is copied, while it is in the cache. */
static bool keep_row(struct invar_array *array, int64_t to, const float *batch, int64_t i)
{
    const int64_t cols = array->shape[1];
    const float *row = batch + i * cols;

    memcpy((float *)array->data + to * cols, row, (size_t)cols * sizeof *row);
    for (int64_t j = 0; j < cols; j++)
        if (!isfinite(row[j]))
            return false;
    return true;
}

/* By the sample's number in its split, which the data's list shows. By that number a user finds the file; a row of the
 * result would shift with every sample that is left out. */
static bool not_finite(const struct pass *pass, int64_t i, const char *what, struct invar_error *err)
{
    return invar_error_set(
        err, INVAR_ERROR_NUMERIC,
        "the %s of %s sample %lld holds NaN or Inf; the weights of the encoder are too large or the sample is damaged",
        what, pass->split == INVAR_TRAIN ? "training" : "test", (long long)pass->samples[i].index);
}

/* One view of a batch; the rows of samples that were not asked for are left out. Samples that were replaced since
 * they cannot be read are left out, so rows and numbers agree. */
static bool keep_view(const struct embed_work *work, const struct pass *pass, int64_t got, int v,
                      const struct runner *runner, struct embed_rows *out, struct invar_error *err)
{
    const int64_t stride = work->input_stride;
    const float *h = work->encoder ? runner->h : pass->views + v * got * pass->view_size;
    int64_t row = out->rows;

    for (int64_t i = 0; i < got; i++) {
        if (!pass_is_own(pass, i))
            continue;
        if (out->h[v].data && !keep_row(&out->h[v], row, h, i))
            return not_finite(pass, i, "representation", err);
        if (out->z[v].data && !keep_row(&out->z[v], row, runner->z, i))
            return not_finite(pass, i, "embedding z", err);
        /* By the row and not by the sample's number, so that kept inputs are evenly spaced over what could be read. */
        if (v == 0 && stride && row % stride == 0 && !keep_row(&out->input, row / stride, pass->views, i))
            return not_finite(pass, i, "input", err);
        ((int64_t *)out->labels.data)[row] = pass->samples[i].label;
        ((int64_t *)out->index.data)[row] = pass->samples[i].index;
        row++;
    }
    return true;
}

/* Each view of the batch through the encoder by itself: plans are made for one view, whose size is the same. */
static bool embed_batch(const struct embed_work *work, struct pass *pass, struct runner *runner,
                        struct pooling *pooling, int64_t got, struct embed_rows *out, struct invar_error *err)
{
    if (pooling->on && !pooling_batch(pooling, pass, runner, got, out, err))
        return false;
    for (int v = 0; !pooling->on && v < (pass->drawn ? 2 : 1); v++)
        if ((work->encoder && !runner_run(runner, pass->views + v * got * pass->view_size, got, err)) ||
            !keep_view(work, pass, got, v, runner, out, err))
            return false;
    for (int64_t i = 0; i < got; i++)
        out->rows += pass_is_own(pass, i);
    pass->done += got;
    return true;
}

/* Result and parts are local until all is done: a failure gives nothing half made. */
bool embed_run(const struct embed_work *work, struct embed_rows *out, struct invar_error *err)
{
    struct invar_dataset_info info = *invar_dataset_info(work->dataset);
    struct pass pass = {0};
    struct runner runner = {0};
    /* Rows of a table have no extent to have windows along. */
    struct pooling pooling = {.on = work->windows && work->encoder && info.kind != INVAR_DATA_TABLE};
    struct pass_options options = work->pass;
    struct embed_rows result = {0};
    int64_t got = 0;
    bool ok = false;

    /* Windows are cut from the samples themselves, at their own size: a view that is resized first would have lost what
     * they are for. */
    options.bare = pooling.on;
    if ((work->encoder && !runner_views(work->encoder, invar_dataset_info(work->dataset), &info, err)) ||
        !pass_open(&pass, work->dataset, &options, &info, err) ||
        (work->encoder && !runner_open(&runner, work->device, work->encoder, work->projector, work->precision, err)) ||
        !rows_alloc(work, &pass, &runner, &result, err) || (pooling.on && !pooling_open(&pooling, &runner, &info, err)))
        goto done;
    do {
        if (!pass_next(&pass, &got, err) || !embed_batch(work, &pass, &runner, &pooling, got, &result, err))
            goto done;
        if (!invar_watch_tell(work->watch, &(struct invar_progress){work->what, "samples", pass.done, pass.total, NULL},
                              err))
            goto done;
    } while (got);
    /* At the end alone: until then the shapes say how much room there is. */
    rows_cut(work, &result);
    *out = result;
    result = (struct embed_rows){0};
    ok = true;
done:
    pass_close(&pass);
    runner_close(&runner);
    pooling_close(&pooling);
    embed_rows_free(&result);
    return ok;
}

/* Half overlapping windows: every moment of a clip is near the middle of one of them. */
bool invar_embed_window(const struct invar_dataset_info *info, const struct invar_encoder *encoder, int64_t *window,
                        int64_t *hop)
{
    const int64_t width = invar_net_input(encoder->net).width;

    if (info->kind == INVAR_DATA_TABLE)
        return false;
    /* In samples of the clip and not in columns of its spectrogram: it is the clip that is cut. */
    *window = info->kind == INVAR_DATA_AUDIO ? invar_logmel_span(&info->logmel, width) : width;
    *hop = *window > 1 ? *window / 2 : 1;
    return true;
}

int64_t invar_embedded_keep_labelled(struct invar_embedded *embedded)
{
    const size_t width = (size_t)embedded->features.shape[1] * invar_dtype_size(embedded->features.dtype);
    const int64_t rows = embedded->labels.shape[0];
    int64_t *labels = embedded->labels.data, *index = embedded->index.data, kept = 0;
    char *features = embedded->features.data;

    for (int64_t i = 0; i < rows; i++) {
        if (labels[i] < 0)
            continue;
        /* A row stays where nothing was left out before it; copied onto itself it would be undefined. */
        if (kept < i)
            memcpy(features + (size_t)kept * width, features + (size_t)i * width, width);
        if (index)
            index[kept] = index[i];
        labels[kept++] = labels[i];
    }
    embedded->labels.shape[0] = embedded->index.shape[0] = embedded->features.shape[0] = kept;
    return rows - kept;
}

/* features, labels and numbers change hands; the rest goes. Moved, not copied: features of a large set are most of
 * the memory there is. */
static void give(struct embed_rows *rows, struct invar_array *features, struct invar_embedded *out)
{
    *out = (struct invar_embedded){
        .features = *features, .labels = rows->labels, .index = rows->index, .pooled = rows->pooled};
    *features = rows->labels = rows->index = (struct invar_array){0};
    embed_rows_free(rows);
}

bool invar_embed(struct invar_device *device, const struct invar_encoder *encoder, struct invar_dataset *dataset,
                 enum invar_split split, const struct invar_embed_options *options, struct invar_embedded *out,
                 struct invar_error *err)
{
    THREADS_FOR(invar_device_threads(device));
    const struct embed_work work = {.device = device,
                                    .encoder = encoder,
                                    .dataset = dataset,
                                    .pass = {.split = split, .share = options->share},
                                    .precision = options->precision,
                                    .windows = options->windows,
                                    .what = options->what          ? options->what
                                            : split == INVAR_TRAIN ? "embedding train"
                                                                   : "embedding test",
                                    .watch = options->watch};
    struct embed_rows rows;

    if (!embed_run(&work, &rows, err))
        return false;
    give(&rows, &rows.h[0], out);
    return true;
}

bool invar_embed_head(struct invar_device *device, const struct invar_encoder *encoder, const struct invar_head *head,
                      struct invar_dataset *dataset, enum invar_split split, const int64_t *order, int64_t count,
                      struct invar_embedded *out, struct invar_error *err)
{
    THREADS_FOR(invar_device_threads(device));
    const struct embed_work work = {.device = device,
                                    .encoder = encoder,
                                    .projector = head,
                                    .dataset = dataset,
                                    .pass = {.split = split, .order = order, .count = count},
                                    .precision = INVAR_PRECISION_FLOAT32};
    struct embed_rows rows;

    if (!embed_run(&work, &rows, err))
        return false;
    give(&rows, head ? &rows.z[0] : &rows.h[0], out);
    return true;
}

/* The plain inputs themselves, flattened: what a probe on raw data is compared with. */
bool invar_embed_input(struct invar_dataset *dataset, enum invar_split split, struct invar_embedded *out,
                       struct invar_error *err)
{
    const struct embed_work work = {.dataset = dataset, .pass = {.split = split}, .input_stride = 1};
    struct embed_rows rows;

    if (!embed_run(&work, &rows, err))
        return false;
    give(&rows, &rows.input, out);
    return true;
}
