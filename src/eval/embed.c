/* SPDX-License-Identifier: Apache-2.0 */
/* Representations of a data set: plain views, standardised as the encoder was trained, through an inference plan. */
#include "invar/eval.h"
#include "invar/memory.h"
#include "invar/view.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { BATCH = 256 };

/* Where the samples of a split pass by as plain views. */
struct pass {
    struct invar_dataset *dataset;
    enum invar_split split;
    struct invar_view_maker *maker;
    struct invar_loader *loader;
    struct invar_sample *samples; /* [BATCH] */
    float *views;                 /* [BATCH][C][H][W], host */
    int64_t view_size;            /* C*H*W */
    int64_t total, done;
};

void invar_embedded_free(struct invar_embedded *embedded)
{
    if (!embedded)
        return;
    invar_array_free(&embedded->features);
    invar_array_free(&embedded->labels);
}

static void pass_close(struct pass *pass)
{
    invar_loader_free(pass->loader);
    invar_view_maker_free(pass->maker);
    invar_free(pass->samples);
    invar_free(pass->views);
}

/* info says how the views come out; borrowed until the pass is closed. */
static bool pass_open(struct pass *pass, struct invar_dataset *dataset, enum invar_split split,
                      const struct invar_dataset_info *info, struct invar_error *err)
{
    bool ok = false;
    struct invar_view_options options;
    int64_t *order = NULL;
    *pass = (struct pass){.dataset = dataset, .split = split, .total = info->count[split]};
    pass->view_size = (int64_t)info->channels * info->height * info->width;
    if (pass->total < 1)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s has no %s samples; there is nothing to embed", info->source,
                               split == INVAR_TRAIN ? "training" : "test");
    invar_options_default(invar_view_option_table, &options);
    order = invar_alloc((size_t)pass->total, sizeof *order, err);
    pass->samples = invar_alloc(BATCH, sizeof *pass->samples, err);
    pass->views = invar_alloc(BATCH, (size_t)pass->view_size * sizeof *pass->views, err);
    pass->maker = invar_view_maker_create(&options, info, err);
    pass->loader = invar_loader_create(dataset, split, BATCH, err);
    if (!order || !pass->samples || !pass->views || !pass->maker || !pass->loader)
        goto done;
    for (int64_t i = 0; i < pass->total; ++i)
        order[i] = i;
    ok = invar_loader_start(pass->loader, order, pass->total, err);
done:
    invar_free(order);
    return ok;
}

/* The next views; *got 0 at the end. */
static bool pass_next(struct pass *pass, int64_t *got, struct invar_error *err)
{
    return invar_loader_next(pass->loader, pass->samples, got, err) &&
           (*got == 0 || invar_view_maker_plain(pass->maker, pass->samples, *got, pass->views, err));
}

static bool output_alloc(struct invar_embedded *out, int64_t rows, int64_t cols, struct invar_error *err)
{
    return invar_array_alloc(&out->features, INVAR_FLOAT32, 2, (int64_t[]){rows, cols}, err) &&
           invar_array_alloc(&out->labels, INVAR_INT64, 1, &rows, err);
}

static bool row_is_finite(const float *row, int64_t cols)
{
    for (int64_t j = 0; j < cols; ++j)
        if (!isfinite(row[j]))
            return false;
    return true;
}

/* Appends the rows of a batch. The loader puts another sample in the place of an unreadable one; that one has its own
 * row already, so it is left out. */
static bool keep_rows(struct pass *pass, int64_t got, const float *values, struct invar_embedded *out,
                      struct invar_error *err)
{
    int64_t cols = out->features.shape[1];
    for (int64_t i = 0; i < got; ++i, ++pass->done) {
        const struct invar_sample *sample = &pass->samples[i];
        int64_t row = out->features.shape[0];
        if (sample->index != pass->done)
            continue;
        if (!row_is_finite(values + i * cols, cols))
            return invar_error_set(
                err, INVAR_ERROR_NUMERIC,
                "the representation of %s sample %" PRId64
                " holds NaN or Inf; the weights of the encoder are too large or the sample is damaged",
                pass->split == INVAR_TRAIN ? "training" : "test", sample->index);
        memcpy((float *)out->features.data + row * cols, values + i * cols, (size_t)cols * sizeof *values);
        ((int64_t *)out->labels.data)[row] = sample->label;
        out->features.shape[0] = out->labels.shape[0] = row + 1;
    }
    return true;
}

bool invar_embed_input(struct invar_dataset *dataset, enum invar_split split, struct invar_embedded *out,
                       struct invar_error *err)
{
    bool ok = false;
    struct pass pass;
    struct invar_embedded result = {0};
    int64_t got = 0;
    if (!pass_open(&pass, dataset, split, invar_dataset_info(dataset), err) ||
        !output_alloc(&result, pass.total, pass.view_size, err))
        goto done;
    result.features.shape[0] = result.labels.shape[0] = 0;
    do {
        if (!pass_next(&pass, &got, err) || !keep_rows(&pass, got, pass.views, &result, err))
            goto done;
    } while (got);
    *out = result;
    result = (struct invar_embedded){0};
    ok = true;
done:
    pass_close(&pass);
    invar_embedded_free(&result);
    return ok;
}

/* An encoder on a device, for batches of BATCH. */
struct runner {
    struct invar_device *device;
    struct invar_weights *weights;
    struct invar_plan *plan;
    float *input;  /* device [BATCH][C][H][W] */
    float *output; /* host [BATCH][D] */
    int64_t cols;
};

static void runner_close(struct runner *runner)
{
    invar_plan_free(runner->plan);
    invar_weights_free(runner->weights);
    if (runner->device)
        invar_device_free(runner->device, runner->input);
    invar_free(runner->output);
}

static int64_t shape_size(struct invar_shape shape)
{
    return shape.rank == 3 ? shape.channels * shape.height * shape.width : shape.channels;
}

/* ReLU turns NaN into 0 on some processors, so that damaged weights need not show in what comes out. */
static bool weights_are_finite(const struct invar_encoder *encoder, struct invar_error *err)
{
    const struct invar_net *net = encoder->net;
    for (int i = 0; i < net->parameter_count; ++i) {
        const struct invar_parameter *parameter = &net->parameters[i];
        const float *base = parameter->role == INVAR_PARAMETER_STATISTIC ? encoder->statistics : encoder->parameters;
        if (!row_is_finite(base + parameter->offset, parameter->count))
            return invar_error_set(err, INVAR_ERROR_NUMERIC,
                                   "the array %s of the encoder holds NaN or Inf; its training went wrong or the file "
                                   "is damaged: take another encoder",
                                   parameter->name);
    }
    return true;
}

static bool runner_open(struct runner *runner, struct invar_device *device, const struct invar_encoder *encoder,
                        enum invar_precision precision, struct invar_error *err)
{
    const struct invar_net *net = encoder->net;
    size_t input = (size_t)shape_size(invar_net_input(net));
    struct invar_plan_options options = {.batch = BATCH, .groups = 1, .mode = INVAR_PLAN_INFERENCE};
    *runner = (struct runner){.device = device, .cols = shape_size(invar_net_output(net))};
    if (!weights_are_finite(encoder, err) || !invar_device_precision(device, precision, &options.precision, err))
        return false;
    runner->weights = invar_weights_create(device, net, false, err);
    if (!runner->weights)
        return false;
    invar_device_upload(device, runner->weights->parameters, encoder->parameters,
                        (size_t)net->trained_count * sizeof(float));
    invar_device_upload(device, runner->weights->statistics, encoder->statistics,
                        (size_t)net->statistic_count * sizeof(float));
    runner->plan = invar_plan_create(runner->weights, &options, err);
    runner->input = invar_device_alloc(device, BATCH, input * sizeof(float), err);
    runner->output = invar_alloc(BATCH, (size_t)runner->cols * sizeof(float), err);
    return runner->plan && runner->input && runner->output;
}

/* The unused rows of the last batch keep what they held: in inference a row does not see the others. */
static bool runner_run(struct runner *runner, const float *views, int64_t got, int64_t view_size,
                       struct invar_error *err)
{
    invar_device_upload(runner->device, runner->input, views, (size_t)(got * view_size) * sizeof *views);
    if (!invar_plan_forward(runner->plan, runner->input, err))
        return false;
    invar_device_download(runner->device, runner->output, invar_plan_output(runner->plan),
                          (size_t)(got * runner->cols) * sizeof *runner->output);
    return true;
}

/* How the views of this encoder come out: its own size and standardisation, whatever the data set's are. */
static bool encoder_views(const struct invar_encoder *encoder, const struct invar_dataset_info *data,
                          struct invar_dataset_info *out, struct invar_error *err)
{
    struct invar_shape input = invar_net_input(encoder->net);
    *out = *data;
    if (input.rank != 3 || input.channels != data->channels)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "the encoder takes %" PRId64 " channels, %s has %d; set channels=%" PRId64
                               " for the data or take an encoder trained on such data",
                               input.channels, data->source, data->channels, input.channels);
    out->height = (int)input.height;
    out->width = (int)input.width;
    memcpy(out->mean, encoder->mean, sizeof out->mean);
    memcpy(out->deviation, encoder->deviation, sizeof out->deviation);
    return true;
}

bool invar_embed(struct invar_device *device, const struct invar_encoder *encoder, struct invar_dataset *dataset,
                 enum invar_split split, enum invar_precision precision,
                 void (*progress)(void *user, int64_t done, int64_t total), void *user, struct invar_embedded *out,
                 struct invar_error *err)
{
    bool ok = false;
    struct pass pass = {0};
    struct runner runner = {0};
    struct invar_dataset_info info;
    struct invar_embedded result = {0};
    int64_t got = 0;
    if (!encoder_views(encoder, invar_dataset_info(dataset), &info, err) ||
        !pass_open(&pass, dataset, split, &info, err) || !runner_open(&runner, device, encoder, precision, err) ||
        !output_alloc(&result, pass.total, runner.cols, err))
        goto done;
    result.features.shape[0] = result.labels.shape[0] = 0;
    do {
        if (!pass_next(&pass, &got, err) || (got && !runner_run(&runner, pass.views, got, pass.view_size, err)) ||
            !keep_rows(&pass, got, runner.output, &result, err))
            goto done;
        if (progress)
            progress(user, pass.done, pass.total);
    } while (got);
    *out = result;
    result = (struct invar_embedded){0};
    ok = true;
done:
    pass_close(&pass);
    runner_close(&runner);
    invar_embedded_free(&result);
    return ok;
}
