/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invariance itself, measured: test images along sequences of one parameter of a view, and how often the predicted
 * class changes from one step to the next, whether it is right or not. As CIFAR-10-P and ImageNet-P count it (Hendrycks
 * and Dietterich 2019), with the operations that views are trained on in the place of rendered videos.
 */
#include "eval/pass.h"
#include "eval/runner.h"
#include "invar/eval.h"
#include "invar/memory.h"
#include "invar/robustness.h"
#include "base/threads.h"

#include <math.h>
#include <omp.h>

/* The largest centred box of the shape of the output: what the plain view sees. */
static void centre(const struct invar_sample *sample, const struct invar_view_output *output, double share,
                   struct invar_view_params *p)
{
    const double by_width = (double)sample->width / output->width, by_height = (double)sample->height / output->height;
    const double scale = (by_width < by_height ? by_width : by_height) * share;

    /* A pixel at least, or a small image zoomed in would have no crop at all. */
    p->crop_width = (float)fmax(1, output->width * scale);
    p->crop_height = (float)fmax(1, output->height * scale);
    p->crop_x = ((float)sample->width - p->crop_width) / 2;
    p->crop_y = ((float)sample->height - p->crop_height) / 2;
}

enum { SHIFT, ZOOM, BRIGHTNESS, CONTRAST, SATURATION, HUE, BLUR };

/* Parameters of a view that does nothing, but for one. */
static void set(struct invar_view_params *p, int sequence, double value, const struct invar_sample *sample,
                const struct invar_view_output *output)
{
    /* Whatever is not the parameter of the sequence does nothing, so that a flip can be blamed on that one alone. */
    *p = (struct invar_view_params){
        .jitter_order = {0, 1, 2, 3}, .brightness = 1, .contrast = 1, .saturation = 1, .hue = 0};
    centre(sample, output, sequence == ZOOM ? value : sequence == SHIFT ? 0.875 : 1, p);
    p->jitter = sequence >= BRIGHTNESS && sequence <= HUE;
    /* The crop of 7/8 leaves an eighth of the side, a seventh of its own: from the middle it may move by a fourteenth
     * of itself to either side, which is what the sequence runs over, up to rounding. */
    if (sequence == SHIFT)
        p->crop_x = fminf(fmaxf(p->crop_x + (float)value * p->crop_width, 0), (float)sample->width - p->crop_width);
    else if (sequence == BRIGHTNESS)
        p->brightness = (float)value;
    else if (sequence == CONTRAST)
        p->contrast = (float)value;
    else if (sequence == SATURATION)
        p->saturation = (float)value;
    else if (sequence == HUE)
        p->hue = (float)value;
    else if (sequence == BLUR)
        p->blur_sigma = (float)value;
}

/* Ranges are the strengths that views have by default, so that numbers of runs compare whatever they were trained on.
 */
static const struct invar_flip_sequence sequences[] = {
    [SHIFT] = {"shift", "crop of 7/8 of the side, moved across", -1.0 / 14, 1.0 / 14, false},
    [ZOOM] = {"zoom", "side of a centred crop, as part of the whole", 0.6, 1, false},
    [BRIGHTNESS] = {"brightness", "factor", 0.6, 1.4, false},
    [CONTRAST] = {"contrast", "factor", 0.6, 1.4, false},
    [SATURATION] = {"saturation", "factor", 0.8, 1.2, true},
    [HUE] = {"hue", "turns", -0.1, 0.1, true},
    [BLUR] = {"blur", "deviation in pixels", 0.1, 2, false},
};
_Static_assert(sizeof sequences / sizeof *sequences == INVAR_FLIP_SEQUENCES, "as robustness.h says");

const struct invar_flip_sequence *invar_flip_sequence_at(int i)
{
    return i >= 0 && i < INVAR_FLIP_SEQUENCES ? &sequences[i] : NULL;
}

/* All that one measurement works with. */
struct flips {
    struct invar_dataset_info info; /* of the views */
    struct invar_view_output output;
    struct pass pass;
    struct runner runner;
    const struct invar_classifier *classifier;
    int threads;
    struct invar_view_workspace **workspace; /* [threads] */
    struct invar_sample *sample;             /* [PASS_BATCH] that could be read */
    float *views, *scores;
    int *predicted; /* [PASS_BATCH] at the step before */
    int64_t *order;
};

static bool open_all(struct flips *f, struct invar_device *device, const struct invar_encoder *encoder,
                     struct invar_dataset *dataset, const struct invar_classifier *classifier,
                     const struct invar_robustness_options *options, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    const int64_t images = info->count[INVAR_TEST], limit = options->limit;
    const int64_t wanted = limit && limit < images ? limit : images;
    /* Bare: the samples themselves, since seven sequences of views are made of each while it is in memory. */
    struct pass_options pass = {.split = INVAR_TEST, .bare = true, .count = wanted, .share = options->share};

    f->classifier = classifier;
    f->threads = omp_get_max_threads();
    if (!runner_views(encoder, info, &f->info, err))
        return false;
    f->output = (struct invar_view_output){
        .kind = info->kind, .height = f->info.height, .width = f->info.width, .channels = f->info.channels};
    for (int c = 0; c < f->info.channels; c++) {
        f->output.mean[c] = f->info.mean[c];
        f->output.deviation[c] = f->info.deviation[c] > 1e-6F ? f->info.deviation[c] : 1;
    }
    f->order = invar_alloc((size_t)wanted, sizeof *f->order, err);
    for (int64_t i = 0; f->order && i < wanted; i++)
        f->order[i] = i * images / wanted;
    pass.order = f->order;
    f->workspace = invar_alloc((size_t)f->threads, sizeof(struct invar_view_workspace *), err);
    for (int i = 0; f->workspace && i < f->threads; i++)
        if (!(f->workspace[i] = invar_view_workspace_create(&f->output, err)))
            return false;
    if (!f->order || !f->workspace || !pass_open(&f->pass, dataset, &pass, &f->info, err) ||
        !runner_open(&f->runner, device, encoder, NULL, INVAR_PRECISION_FLOAT32, err))
        return false;
    f->sample = invar_alloc(PASS_BATCH, sizeof *f->sample, err);
    f->views = invar_alloc(PASS_BATCH, (size_t)f->pass.view_size * sizeof *f->views, err);
    f->scores = invar_alloc(PASS_BATCH, (size_t)classifier->classes * sizeof *f->scores, err);
    f->predicted = invar_alloc(PASS_BATCH, sizeof *f->predicted, err);
    return f->sample && f->views && f->scores && f->predicted;
}

static void close_all(struct flips *f)
{
    for (int i = 0; f->workspace && i < f->threads; i++)
        invar_view_workspace_free(f->workspace[i]);
    invar_free(f->workspace);
    pass_close(&f->pass);
    runner_close(&f->runner);
    invar_free(f->sample);
    invar_free(f->views);
    invar_free(f->scores);
    invar_free(f->predicted);
    invar_free(f->order);
}

/* The largest score; of equals the smaller class. */
static int predict(const float *scores, int classes)
{
    int best = 0;

    for (int k = 1; k < classes; k++)
        if (scores[k] > scores[best])
            best = k;
    return best;
}

/* One step of a sequence of the batch at hand: how many predictions are not those of the step before. */
static bool step(struct flips *f, int sequence, double value, int64_t count, bool first, int64_t *flipped,
                 struct invar_error *err)
{
    const struct invar_matrix features = {INVAR_FLOAT32, count, f->runner.h_cols, f->runner.h};
    const int classes = f->classifier->classes;
    bool ok = true;

#pragma omp parallel for schedule(static) num_threads(f->threads)
    for (int64_t i = 0; i < count; i++) {
        struct invar_view_params params;
        set(&params, sequence, value, &f->sample[i], &f->output);
        /* Threads write but one value, so that which of them fails first does not matter. */
        if (!invar_view_apply(&params, &f->output, &f->sample[i], f->workspace[omp_get_thread_num()],
                              f->views + i * f->pass.view_size, NULL))
#pragma omp atomic write
            ok = false;
    }
    if (!ok)
        return invar_error_set(err, INVAR_ERROR_DATA, "a test image could not be made into views of %s",
                               sequences[sequence].name);
    if (!runner_run(&f->runner, f->views, count, err) ||
        !invar_logreg_scores(&features, f->classifier->weight, f->classifier->bias, classes, f->scores, err))
        return false;
    for (int64_t i = 0; i < count; i++) {
        const int now = predict(f->scores + i * classes, classes);
        /* Against the step before and not the first one: a prediction that changes once and stays is one flip, one that
         * flickers is many. */
        *flipped += !first && now != f->predicted[i];
        f->predicted[i] = now;
    }
    return true;
}

static bool run_sequence(struct flips *f, int sequence, int steps, int64_t count, struct invar_flips *out,
                         struct invar_error *err)
{
    const struct invar_flip_sequence *s = &sequences[sequence];

    for (int k = 0; k < steps; k++)
        if (!step(f, sequence, s->low + (s->high - s->low) * k / (steps - 1), count, k == 0, &out->flipped, err))
            return false;
    /* Of 11 steps 10 can flip. */
    out->count += count * (steps - 1);
    return true;
}

bool invar_flips_measure(struct invar_device *device, const struct invar_encoder *encoder,
                         struct invar_dataset *dataset, const struct invar_classifier *classifier,
                         const struct invar_robustness_options *options, int steps, struct invar_flips *out,
                         struct invar_error *err)
{
    THREADS_FOR(invar_device_threads(device));
    struct flips f = {0};
    int64_t got = 1;
    bool ok = open_all(&f, device, encoder, dataset, classifier, options, err);

    for (int s = 0; s < INVAR_FLIP_SEQUENCES; s++)
        /* Of all sequences, those without steps too: a report shows which were not run. */
        out[s] = (struct invar_flips){&sequences[s], 0, 0};
    while (ok && got) {
        int64_t count = 0;
        ok = pass_next(&f.pass, &got, err);
        for (int64_t i = 0; ok && i < got; i++)
            if (pass_is_own(&f.pass, i))
                f.sample[count++] = f.pass.samples[i];
        f.pass.done += got;
        for (int s = 0; ok && count && s < INVAR_FLIP_SEQUENCES; s++)
            /* Saturation and hue leave gray as it is: sequences without a change would only lower the mean. */
            if (!sequences[s].colour || f.info.channels == 3)
                ok = run_sequence(&f, s, steps, count, &out[s], err);
    }
    close_all(&f);
    return ok;
}
