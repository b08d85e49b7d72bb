/* SPDX-License-Identifier: Apache-2.0 */
/* A frozen encoder, and the projector behind it, on a device. */
#include "eval/runner.h"
#include "invar/memory.h"

#include <math.h>
#include <string.h>

void runner_close(struct runner *runner)
{
    for (int i = 0; i < 2; i++) {
        invar_plan_free(runner->plan[i]);
        invar_weights_free(runner->weights[i]);
    }
    if (runner->device)
        invar_device_free(runner->device, runner->input);
    invar_free(runner->h);
    invar_free(runner->z);
    *runner = (struct runner){0};
}

static int64_t shape_size(struct invar_shape shape)
{
    return shape.rank == 3 ? shape.channels * shape.height * shape.width : shape.channels;
}

/* ReLU turns NaN into 0 on some processors, so that damaged weights need not show in what comes out. By name of the
 * array, which says whether a norm or a convolution went wrong. */
static bool weights_are_finite(const struct invar_net *net, const float *parameters, const float *statistics,
                               const char *what, struct invar_error *err)
{
    for (int i = 0; i < net->parameter_count; i++) {
        const struct invar_parameter *parameter = &net->parameters[i];
        const float *base = parameter->role == INVAR_PARAMETER_STATISTIC ? statistics : parameters;
        for (int64_t j = 0; j < parameter->count; j++)
            if (!isfinite(base[parameter->offset + j]))
                return invar_error_set(err, INVAR_ERROR_NUMERIC,
                                       "the array %s of the %s holds NaN or Inf; its training went wrong or the file "
                                       "is damaged: take another %s",
                                       parameter->name, what, what);
    }
    return true;
}

/* A batch of fixed size, whatever the data: plans are made for one, and small ones stay in the cache. */
static bool load(struct runner *runner, int which, const struct invar_net *net, const float *parameters,
                 const float *statistics, enum invar_precision precision, struct invar_error *err)
{
    struct invar_plan_options options = {.batch = RUNNER_BATCH, .groups = 1, .mode = INVAR_PLAN_INFERENCE};

    if (!weights_are_finite(net, parameters, statistics, which ? "projector" : "encoder", err) ||
        !invar_device_precision(runner->device, precision, &options.precision, err))
        return false;
    /* No gradients, which would be as many numbers again: nothing is trained here. */
    runner->weights[which] = invar_weights_create(runner->device, net, false, err);
    if (!runner->weights[which])
        return false;
    invar_device_upload(runner->device, runner->weights[which]->parameters, parameters,
                        (size_t)net->trained_count * sizeof(float));
    invar_device_upload(runner->device, runner->weights[which]->statistics, statistics,
                        (size_t)net->statistic_count * sizeof(float));
    runner->plan[which] = invar_plan_create(runner->weights[which], &options, err);
    return runner->plan[which] != NULL;
}

/* A projector of another run would run on features that it was never trained on, if the widths agreed by chance;
 * these are what can be checked. */
static bool check_width(const struct runner *runner, const struct invar_head *projector, struct invar_error *err)
{
    const int64_t width = invar_net_input(projector->net).channels;
    return width == runner->h_cols ||
           invar_error_set(
               err, INVAR_ERROR_DATA,
               "the projector takes %lld features and the encoder gives %lld: they belong to different runs",
               (long long)width, (long long)runner->h_cols);
}

/* What fails leaves the rest to runner_close, which takes what is there. */
bool runner_open(struct runner *runner, struct invar_device *device, const struct invar_encoder *encoder,
                 const struct invar_head *projector, enum invar_precision precision, struct invar_error *err)
{
    *runner = (struct runner){.device = device,
                              .input_size = shape_size(invar_net_input(encoder->net)),
                              .h_cols = shape_size(invar_net_output(encoder->net))};
    if (!load(runner, 0, encoder->net, encoder->parameters, encoder->statistics, precision, err))
        return false;
    runner->input = invar_device_alloc(device, RUNNER_BATCH, (size_t)runner->input_size * sizeof(float), err);
    runner->h = invar_alloc(RUNNER_BATCH, (size_t)runner->h_cols * sizeof(float), err);
    if (!runner->input || !runner->h)
        return false;
    if (!projector)
        return true;
    /* Float32 as in training, whatever the encoder's. */
    if (!check_width(runner, projector, err) ||
        !load(runner, 1, projector->net, projector->parameters, projector->statistics, INVAR_PRECISION_FLOAT32, err))
        return false;
    runner->z_cols = shape_size(invar_net_output(projector->net));
    runner->z = invar_alloc(RUNNER_BATCH, (size_t)runner->z_cols * sizeof(float), err);
    return runner->z != NULL;
}

/* The unused rows of the last batch keep what they held: in inference a row does not see the others. */
bool runner_run(struct runner *runner, const float *views, int64_t got, struct invar_error *err)
{
    struct invar_device *device = runner->device;

    /* Only the rows that are there, on the way in and on the way out: of the last batch these are fewer. */
    invar_device_upload(device, runner->input, views, (size_t)(got * runner->input_size) * sizeof *views);
    if (!invar_plan_forward(runner->plan[0], runner->input, err))
        return false;
    /* It stays on the device, where the projector reads it: h goes to the host once and never back. */
    const float *h = invar_plan_output(runner->plan[0]);
    invar_device_download(device, runner->h, h, (size_t)(got * runner->h_cols) * sizeof *h);
    if (!runner->plan[1])
        return true;
    if (!invar_plan_forward(runner->plan[1], h, err))
        return false;
    invar_device_download(device, runner->z, invar_plan_output(runner->plan[1]),
                          (size_t)(got * runner->z_cols) * sizeof *runner->z);
    return true;
}

/* An encoder of tables fed with pictures of the same shape would answer; it says what it was trained on. */
bool invar_embed_accepts(const struct invar_encoder *encoder, enum invar_data_kind kind, const char *source,
                         struct invar_error *err)
{
    const char *name = invar_data_kind_name(kind);

    return !encoder->data_kind[0] || strcmp(encoder->data_kind, name) == 0 ||
           invar_error_set(err, INVAR_ERROR_DATA,
                           "the encoder was trained on data of the kind \"%s\", and %s is of the kind \"%s\": give it "
                           "data of its own kind",
                           encoder->data_kind, source, name);
}

/* Views have the size and the statistics that the encoder was trained with, whatever the data have: those belong to
 * the weights. */
bool runner_views(const struct invar_encoder *encoder, const struct invar_dataset_info *data,
                  struct invar_dataset_info *out, struct invar_error *err)
{
    struct invar_shape input = invar_net_input(encoder->net);

    *out = *data;
    if (!invar_embed_accepts(encoder, data->kind, data->source, err))
        return false;
    if (input.rank == data->rank && input.rank == 1 && input.channels == data->channels)
        return true;
    if (input.rank != 3 || data->rank != 3 || input.channels != data->channels)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "the encoder takes %lld channels, %s has %d; set channels=%lld for the data or take an "
                               "encoder trained on such data",
                               (long long)input.channels, data->source, data->channels, (long long)input.channels);
    out->height = (int)input.height;
    out->width = (int)input.width;
    /* Statistics of the other data would take out the very shift that a measurement on them is to find. */
    memcpy(out->mean, encoder->mean, sizeof out->mean);
    memcpy(out->deviation, encoder->deviation, sizeof out->deviation);
    return true;
}
