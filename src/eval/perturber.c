/* SPDX-License-Identifier: Apache-2.0 */
/* The adversary of a finished run [A1] outside of training: its generator in inference mode, or noise. The views that
 * an inspection draws are then those of training: without it both views of a run that has no augmentation but its
 * adversary would be one. */
#include "invar/expert/perturber.h"

#include "eval/pass.h"
#include "eval/runner.h"
#include "invar/memory.h"
#include "invar/expert/safetensors.h"
#include "base/threads.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct invar_perturber {
    struct invar_device *device;
    struct invar_net *net; /* NULL: noise */
    struct invar_weights *weights;
    struct invar_plan *plan;
    struct invar_perturbation *perturbation;
    struct invar_int_list views;
    bool viewmaker;
    int64_t batch, dim, coordinates; /* that may be perturbed */
    struct invar_sample *samples;    /* [batch] */
    float *clean, *x;                /* host, device [batch][dim] */
    char text[128];
};

void invar_perturber_close(struct invar_perturber *p)
{
    if (!p)
        return;
    invar_perturbation_free(p->perturbation);
    invar_plan_free(p->plan);
    invar_weights_free(p->weights);
    invar_net_free(p->net);
    invar_device_free(p->device, p->x);
    invar_free(p->clean);
    invar_free(p->samples);
    invar_free(p);
}

/* Tables have one number a channel and no sides, which a product with their 0 would lose. */
static int64_t elements(struct invar_shape shape)
{
    return shape.rank == 3 ? shape.channels * shape.height * shape.width : shape.channels;
}

/* By the names that training wrote, so that a generator of another shape is refused by name. */
static bool read_weights(struct invar_perturber *p, const char *path, struct invar_error *err)
{
    float *parameters = invar_alloc((size_t)p->net->trained_count, sizeof(float), err);
    float *statistics = invar_alloc((size_t)p->net->statistic_count + 1, sizeof(float), err);
    struct invar_safetensors *file = NULL;
    const bool ok = parameters && statistics && invar_safetensors_read(&file, path, err) &&
                    invar_net_restore(p->net, parameters, statistics, "", file, path, err);

    if (ok) {
        invar_device_upload(p->device, p->weights->parameters, parameters,
                            (size_t)p->net->trained_count * sizeof(float));
        invar_device_upload(p->device, p->weights->statistics, statistics,
                            (size_t)p->net->statistic_count * sizeof(float));
    }
    invar_safetensors_free(file);
    invar_free(parameters);
    invar_free(statistics);
    return ok;
}

/* name: what the generator is called in its table. In inference mode with the running statistics of training, so that
 * what is added to a sample does not depend on the batch that it is in; instance norm has those of the sample. */
static bool read_generator(struct invar_perturber *p, const struct invar_perturber_options *o, struct invar_shape shape,
                           const char **name, struct invar_error *err)
{
    const struct invar_generator_spec *spec = invar_generator_find(o->kind, shape, err);
    const bool instance = spec && spec->viewmaker;
    const struct invar_plan_options plan = {.batch = o->batch,
                                            .groups = instance ? o->batch : 1,
                                            .precision = INVAR_PRECISION_FLOAT32,
                                            .mode = instance ? INVAR_PLAN_FORWARD : INVAR_PLAN_INFERENCE};

    p->net = spec ? invar_generator_build(spec, &o->build, shape, err) : NULL;
    /* Weights alone, without room for gradients: the generator is applied here and never trained. */
    p->weights = p->net ? invar_weights_create(p->device, p->net, false, err) : NULL;
    if (!p->weights || !read_weights(p, o->file, err))
        return false;
    *name = spec->name;
    p->viewmaker = instance;
    p->plan = invar_plan_create(p->weights, &plan, err);
    return p->plan != NULL;
}

/* As in training, with the same mask: what may not be perturbed there may not be here. */
static bool create_perturbation(struct invar_perturber *p, const struct invar_perturber_options *o,
                                const struct invar_dataset_info *info, struct invar_error *err)
{
    struct invar_perturbation_options options = {
        .eps = o->eps, .ball = o->ball, .samples = o->batch, .views = 1, .dim = p->dim, .viewmaker = p->viewmaker};
    uint8_t *mask = NULL;

    if (p->net)
        /* What the input of the generator has beyond the sample is the u of [A1]. */
        options.noise = elements(invar_net_input(p->net)) - p->dim;
    if (!invar_perturbation_mask(info, &mask, err))
        return false;
    options.mask = mask;
    for (int64_t j = 0; j < p->dim; j++)
        /* dim of [A1] counts the perturbed coordinates: a deviation over all of them would look smaller the more are
         * masked. */
        p->coordinates += !mask || mask[j];
    p->perturbation = invar_perturbation_create(p->device, p->plan, &options, err);
    invar_free(mask);
    return p->perturbation != NULL;
}

/* Batch by batch through one plan; whoever asks for more gets it in pieces. */
struct invar_perturber *invar_perturber_open(struct invar_device *device, const struct invar_encoder *encoder,
                                             const struct invar_dataset_info *info,
                                             const struct invar_perturber_options *o, struct invar_error *err)
{
    static const char *const balls[] = {INVAR_BALLS(INVAR_CHOICE_NAME)};
    const struct invar_shape shape = invar_net_input(encoder->net);
    const bool noise = strcmp(o->kind, "noise") == 0;
    struct invar_perturber *p = invar_alloc(1, sizeof *p, err);
    struct invar_dataset_info seen;
    const char *name = "";

    if (!p)
        return NULL;
    *p = (struct invar_perturber){.device = device, .views = o->views, .batch = o->batch, .dim = elements(shape)};
    /* At the size and with the statistics that the encoder was trained with: eps is in units of its standardised
     * input. */
    if (!runner_views(encoder, info, &seen, err) || (!noise && !read_generator(p, o, shape, &name, err)))
        goto failed;
    p->samples = invar_alloc((size_t)p->batch, sizeof *p->samples, err);
    p->clean = invar_alloc((size_t)p->batch, (size_t)p->dim * sizeof(float), err);
    p->x = invar_device_alloc(device, (size_t)p->batch, (size_t)p->dim * sizeof(float), err);
    if (!p->samples || !p->clean || !p->x || !create_perturbation(p, o, &seen, err))
        goto failed;
    snprintf(p->text, sizeof p->text, "%s%s, eps %g, p %s", name, noise ? "random noise" : " generator", o->eps,
             balls[o->ball]);
    return p;
failed:
    invar_perturber_close(p);
    return NULL;
}

bool invar_perturber_has(const struct invar_perturber *p, int view)
{
    for (int k = 0; k < p->views.count; k++)
        if (p->views.value[k] == view)
            return true;
    return false;
}

const char *invar_perturber_describe(const struct invar_perturber *p)
{
    return p->text;
}

/* A batch that is not full repeats its first sample: in inference a row does not see the others. */
bool invar_perturber_apply(struct invar_perturber *p, int view, const struct invar_sample *samples, int64_t count,
                           uint64_t seed, uint64_t epoch, float *x, struct invar_error *err)
{
    const size_t row = (size_t)p->dim * sizeof(float);

    /* Noise is drawn by sample, view and epoch and not by the place in a batch: cut into pieces, the same samples get
     * the same noise. */
    for (int64_t done = 0; done < count; done += p->batch) {
        const int64_t got = count - done < p->batch ? count - done : p->batch;
        for (int64_t i = 0; i < p->batch; i++) {
            const int64_t from = done + (i < got ? i : 0);
            p->samples[i] = samples[from];
            memcpy(p->clean + i * p->dim, x + from * p->dim, row);
        }
        const struct invar_perturbed_view of = {view, p->clean, p->x};
        invar_device_upload(p->device, p->x, p->clean, (size_t)p->batch * row);
        if (!invar_perturbation_apply(p->perturbation, &of, p->samples, seed, epoch, NULL, err) ||
            !invar_perturbation_check(p->perturbation, p->samples, err))
            return false;
        invar_device_download(p->device, x + done * p->dim, p->x, (size_t)got * row);
    }
    return true;
}

/* ---- to look at ---- */

void invar_perturbed_free(struct invar_perturbed *perturbed)
{
    invar_array_free(&perturbed->index);
    invar_array_free(&perturbed->clean);
    invar_array_free(&perturbed->perturbed);
}

static bool keep(const struct invar_perturber *p, const struct pass *pass, int64_t rows, struct invar_perturbed *out,
                 struct invar_error *err)
{
    const int64_t shape[] = {rows, p->dim};

    if (!invar_array_alloc(&out->index, INVAR_INT64, 1, shape, err) ||
        !invar_array_alloc(&out->clean, INVAR_FLOAT32, 2, shape, err) ||
        !invar_array_alloc(&out->perturbed, INVAR_FLOAT32, 2, shape, err))
        return false;
    for (int64_t i = 0; i < rows; i++)
        ((int64_t *)out->index.data)[i] = pass->samples[i].index;
    memcpy(out->clean.data, pass->views, (size_t)(rows * p->dim) * sizeof(float));
    /* Perturbed in place, from a copy of the clean view. */
    memcpy(out->perturbed.data, pass->views, (size_t)(rows * p->dim) * sizeof(float));
    return true;
}

static double rms(const struct invar_perturber *p, const struct invar_perturbed *out)
{
    const float *clean = out->clean.data, *perturbed = out->perturbed.data;
    double squares = 0;

    for (int64_t i = 0; i < invar_array_count(&out->clean); i++)
        /* In double: the two differ by little, and what is small in each place is summed over millions. */
        squares += ((double)perturbed[i] - (double)clean[i]) * ((double)perturbed[i] - (double)clean[i]);
    return sqrt(squares / (double)(out->clean.shape[0] * p->coordinates));
}

bool invar_perturber_show(struct invar_perturber *p, const struct invar_encoder *encoder, struct invar_dataset *dataset,
                          enum invar_split split, int64_t most, uint64_t seed, struct invar_perturbed *out,
                          struct invar_error *err)
{
    THREADS_FOR(invar_device_threads(p->device));
    const struct pass_options options = {.split = split};
    struct invar_dataset_info info;
    struct pass pass = {0};
    int64_t rows = 0;

    *out = (struct invar_perturbed){0};
    bool ok = runner_views(encoder, invar_dataset_info(dataset), &info, err) &&
              pass_open(&pass, dataset, &options, &info, err) && pass_next(&pass, &rows, err);
    rows = rows < most ? rows : most;
    ok = ok && keep(p, &pass, rows, out, err) &&
         invar_perturber_apply(p, (int)p->views.value[0], pass.samples, rows, seed, 0, out->perturbed.data, err);
    if (ok)
        out->rms = rms(p, out);
    pass_close(&pass);
    return ok;
}
