/* SPDX-License-Identifier: Apache-2.0 */
/* What h and z know of the view that they are of: where its crop lies and how large it is, how its colours were
 * changed, whether it was flipped. A representation that is invariant knows nothing of them. */
#include "eval/inspect/inspect.h"
#include "invar/regression.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SPACES = 2, LEAST = 16 }; /* samples of which half is not enough for any fit */

/* Weight of the penalty for every row that is fitted, on standardised columns: fixed, so that the numbers of two runs
 * differ by what the runs know and not by what was chosen. */
static const double strength = 1.0 / 20;

struct parameter {
    const char *name[SPACES];
    enum invar_data_kind kind;
    bool yes_no;
    double (*of)(const struct invar_view_params *p, const struct invar_sample *sample);
    const char *is;
};

static double crop_x(const struct invar_view_params *p, const struct invar_sample *sample)
{
    return ((double)p->crop_x + (double)p->crop_width / 2) / sample->width;
}

static double crop_y(const struct invar_view_params *p, const struct invar_sample *sample)
{
    return ((double)p->crop_y + (double)p->crop_height / 2) / sample->height;
}

/* In logarithms, as a crop of half the size is as far from the whole as one of a quarter is from it. */
static double crop_area(const struct invar_view_params *p, const struct invar_sample *sample)
{
    return log((double)p->crop_width * (double)p->crop_height / sample->width / sample->height);
}

#define PARAMETER(field, value)                                                                                        \
    static double field(const struct invar_view_params *p, const struct invar_sample *sample)                          \
    {                                                                                                                  \
        (void)sample;                                                                                                  \
        return (double)(value);                                                                                        \
    }
PARAMETER(flip, p->flip)
/* what is drawn counts where it is applied */
PARAMETER(brightness, p->jitter ? p->brightness : 1)
PARAMETER(contrast, p->jitter ? p->contrast : 1)
PARAMETER(saturation, p->jitter ? p->saturation : 1)
PARAMETER(hue, p->jitter ? p->hue : 0)
PARAMETER(grayscale, p->grayscale)
PARAMETER(blur, p->blur_sigma)
PARAMETER(time_place, p->time_place)
PARAMETER(time_shift, p->time_shift)
PARAMETER(loudness, log((double)p->loudness))
PARAMETER(background, p->background)
PARAMETER(noise, p->noise)

#define OF(name, kind, yes_no, is)                                                                                     \
    {                                                                                                                  \
        {"h_" #name, "z_" #name}, INVAR_DATA_##kind, yes_no, name, is                                                  \
    }
static const struct parameter parameters[] = {
    OF(crop_x, IMAGE, false, "where the centre of the crop lies, across"),
    OF(crop_y, IMAGE, false, "where the centre of the crop lies, down"),
    OF(crop_area, IMAGE, false, "log of the crop's share of the area"),
    OF(flip, IMAGE, true, "whether it was flipped"),
    OF(brightness, IMAGE, false, "factor of the brightness"),
    OF(contrast, IMAGE, false, "factor of the contrast"),
    OF(saturation, IMAGE, false, "factor of the saturation"),
    OF(hue, IMAGE, false, "turn of the hue"),
    OF(grayscale, IMAGE, true, "whether it was made gray"),
    OF(blur, IMAGE, false, "sigma of the blur"),
    OF(time_place, AUDIO, false, "where the crop lies"),
    OF(time_shift, AUDIO, false, "by how much it was shifted"),
    OF(loudness, AUDIO, false, "log of the factor of the loudness"),
    OF(background, AUDIO, true, "whether another clip was in the background"),
    OF(noise, AUDIO, true, "whether there was white noise"),
};
enum { PARAMETERS = sizeof parameters / sizeof *parameters };

/* Drawn anew, which gives what the views were made with; drawn: [PARAMETERS][rows]. */
static bool take_parameters(const struct inspect *in, int view, double *drawn, struct invar_error *err)
{
    const struct pass_options how = {.split = in->subject->split,
                                     .order = in->drawn.index.data,
                                     .count = in->drawn.rows,
                                     .draw = in->subject->views,
                                     .bare = true};
    struct invar_view_options views = *in->subject->views;
    struct pass pass = {0};
    int64_t got = 1;

    invar_view_options_trim(&views, PASS_MAX_VIEWS);
    bool ok = pass_open(&pass, in->subject->dataset, &how, invar_dataset_info(in->subject->dataset), err);
    while (ok && got) {
        ok = pass_next(&pass, &got, err);
        for (int64_t i = 0; ok && i < got; i++) {
            struct invar_view_params p;
            if (!pass_is_own(&pass, i))
                ok = invar_error_set(err, INVAR_ERROR_DATA, "a sample of the views could not be read again");
            invar_view_draw(&p, &views, (uint64_t)in->options->seed, INSPECT_EPOCH_SAMPLES, &pass.samples[i], view);
            for (int k = 0; k < PARAMETERS; k++)
                if (parameters[k].kind == pass.samples[i].kind)
                    drawn[k * in->drawn.rows + pass.done + i] = parameters[k].of(&p, &pass.samples[i]);
        }
        pass.done += got;
    }
    pass_close(&pass);
    return ok;
}

/* Every other sample is fitted, those between are measured: half of every class where the split is sorted by class. */
struct halves {
    struct invar_matrix x[2];
    double *y[2];
};

static bool halves_take(struct halves *halves, const struct invar_array *x, struct invar_error *err)
{
    const int64_t rows = x->shape[0], cols = x->shape[1];

    for (int half = 0; half < 2; half++) {
        const int64_t count = (rows + 1 - half) / 2;
        float *to = invar_alloc((size_t)count, (size_t)cols * sizeof *to, err);
        halves->x[half] = (struct invar_matrix){INVAR_FLOAT32, count, cols, to};
        halves->y[half] = invar_alloc((size_t)count, sizeof(double), err);
        for (int64_t i = 0; to && i < count; i++)
            memcpy(to + i * cols, (const float *)x->data + (2 * i + half) * cols, (size_t)cols * sizeof *to);
        if (!to || !halves->y[half])
            return false;
    }
    return true;
}

static void halves_free(struct halves *halves)
{
    for (int half = 0; half < 2; half++) {
        invar_free(halves->x[half].data);
        invar_free(halves->y[half]);
    }
}

/* Takes the values of a parameter; false where it is one value in either half. */
static bool varies(struct halves *halves, const double *values)
{
    bool both = true;

    for (int half = 0; half < 2; half++) {
        bool different = false;
        for (int64_t i = 0; i < halves->x[half].rows; i++) {
            halves->y[half][i] = values[2 * i + half];
            different = different || halves->y[half][i] != halves->y[half][0];
        }
        both = both && different;
    }
    return both;
}

/* Mean of the shares of yes and of no that are found, by the share of yes among what was fitted: of what is rare a
 * prediction hardly ever reaches 1/2. */
static double balanced(const struct halves *halves, const double *predictions)
{
    double cut = 0, right[2] = {0}, count[2] = {0};

    for (int64_t i = 0; i < halves->x[0].rows; i++)
        cut += halves->y[0][i] / (double)halves->x[0].rows;
    for (int64_t i = 0; i < halves->x[1].rows; i++) {
        const int yes = halves->y[1][i] == 1;
        count[yes]++;
        right[yes] += (predictions[i] > cut) == (yes == 1);
    }
    return 50 * (right[0] / count[0] + right[1] / count[1]);
}

static bool add(struct inspect *in, int space, const struct parameter *parameter, const struct halves *halves,
                struct invar_error *err)
{
    struct invar_findings *out = &in->out->section[INVAR_INSPECT_VIEW];
    const struct invar_ridge_options options = {
        .alpha = {1, {strength * (double)halves->x[0].rows}}, .folds = 2, .seed = 1};
    const char *name = parameter->name[space];
    struct invar_ridge_result fit = {0};
    struct invar_error why = {0};
    char says[INVAR_FINDING_TEXT];

    if (!invar_ridge_fit(&halves->x[0], halves->y[0], &halves->x[1], halves->y[1], &options, &fit, &why)) {
        inspect_add_unknown(out, name, parameter->yes_no ? "percent" : "R2", why.message);
        return inspect_is_finding(&why) || invar_error_set(err, why.code, "%s", why.message);
    }
    snprintf(says, sizeof says, "%s: %s", parameter->is,
             parameter->yes_no ? "balanced accuracy of a ridge, other samples; chance is 50"
                               : "a ridge explains so much of it in other samples; chance is 0 or less");
    inspect_add(out, name, parameter->yes_no ? "percent" : "R2",
                parameter->yes_no ? balanced(halves, fit.predictions) : fit.test.r2, says);
    invar_ridge_result_free(&fit);
    return true;
}

static bool measure(struct inspect *in, int space, int view, const double *drawn, struct invar_error *err)
{
    const struct invar_array *x = space ? &in->drawn.z[view] : &in->drawn.h[view];
    struct halves halves = {0};
    bool ok = halves_take(&halves, x, err);

    for (int k = 0; ok && k < PARAMETERS; k++)
        if (varies(&halves, drawn + k * in->drawn.rows))
            ok = add(in, space, &parameters[k], &halves, err) &&
                 inspect_tell(in, "parameters of views", space * PARAMETERS + k + 1, SPACES * PARAMETERS, err);
    halves_free(&halves);
    return ok;
}

bool inspect_view(struct inspect *in, struct invar_error *err)
{
    struct invar_findings *out = &in->out->section[INVAR_INSPECT_VIEW];
    const char *why = !in->subject->encoder    ? "views of representations from elsewhere were drawn elsewhere"
                      : !in->subject->views    ? "the views of the run are not known"
                      : in->drawn.rows < LEAST ? "there are too few samples"
                                               : NULL;
    if (why)
        return inspect_absent(out, why);
    const int view = in->subject->views->clean ? 1 : 0; /* the first that is drawn */
    double *drawn = invar_alloc((size_t)in->drawn.rows, PARAMETERS * sizeof *drawn, err);
    bool ok = drawn && take_parameters(in, view, drawn, err);

    for (int space = 0; ok && space < (in->subject->projector ? SPACES : 1); space++)
        ok = measure(in, space, view, drawn, err);
    invar_free(drawn);
    if (ok && !out->present)
        inspect_absent(out, "views of this run have no parameter that varies and that is looked for");
    return ok;
}
