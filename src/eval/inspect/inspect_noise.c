/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Gaussian assumption (objectives.md 4): are the outputs normal where N(0, s^2) is added to an input, at levels s
 * at which the inputs themselves stay apart? Levels and distances are in deviations of a pixel's channel, the unit in
 * which the encoder sees its input. Every output coordinate is tested by K2 over the noisy copies of one input.
 */
#include "eval/inspect/inspect.h"
#include "invar/measure.h"
#include "invar/expert/random.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SPACES = 2 };
/* At 5 % a test rejects 5 of 100 outputs that are normal; 9 of 10 leaves as many again to chance, as few inputs are
 * tested. */
static const double significance = 0.05, mostly = 0.9;

/* Results of one space, h or z, by level. */
struct table {
    double *fraction, *median, *constant;
};

struct noise {
    struct inspect *in;
    struct runner runner;
    int64_t samples, draws, size; /* size: of an input */
    int levels, spaces;
    int64_t width[SPACES];
    /* Kept apart, as the same noise is added at every level. */
    float *noise, *noisy;                       /* [RUNNER_BATCH][size] */
    double *output[SPACES];                     /* [width][draws] of one input at one level */
    double *p[SPACES];                          /* [levels][samples * width]: p of what was tested */
    int64_t *tested[SPACES];                    /* [levels] */
    int64_t jacobians;                          /* inputs whose entropy is taken by draws and by J */
    double *sampled[SPACES], *jacobian[SPACES]; /* [levels]: sums over these inputs */
};

/* Outputs are kept transposed, [output][draw]: each is one sample for the test. */
static bool room(struct noise *n, struct invar_error *err)
{
    n->noise = invar_alloc(RUNNER_BATCH, (size_t)n->size * sizeof *n->noise, err);
    n->noisy = invar_alloc(RUNNER_BATCH, (size_t)n->size * sizeof *n->noisy, err);
    if (!n->noise || !n->noisy)
        return false;
    for (int s = 0; s < n->spaces; s++) {
        const size_t tests = (size_t)(n->samples * n->width[s]);
        n->output[s] = invar_alloc((size_t)n->width[s], (size_t)n->draws * sizeof(double), err);
        n->p[s] = invar_alloc((size_t)n->levels, tests * sizeof(double), err);
        n->tested[s] = invar_alloc((size_t)n->levels, sizeof(int64_t), err);
        n->sampled[s] = invar_alloc((size_t)n->levels, sizeof(double), err);
        n->jacobian[s] = invar_alloc((size_t)n->levels, sizeof(double), err);
        if (!n->output[s] || !n->p[s] || !n->tested[s] || !n->sampled[s] || !n->jacobian[s])
            return false;
    }
    return true;
}

static void room_free(struct noise *n)
{
    runner_close(&n->runner);
    invar_free(n->noise);
    invar_free(n->noisy);
    for (int s = 0; s < SPACES; s++) {
        invar_free(n->output[s]);
        invar_free(n->p[s]);
        invar_free(n->tested[s]);
        invar_free(n->sampled[s]);
        invar_free(n->jacobian[s]);
    }
}

/* The same noise at every level but for its size, so that levels differ by nothing else. By sample and draw, and not by
 * level or batch, so that neither the number of levels nor the size of a batch changes a number. */
static void draw(struct noise *n, int64_t sample, int64_t first, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        struct invar_random random = invar_random_stream((uint64_t)n->in->options->seed, INVAR_RANDOM_NOISE,
                                                         (uint64_t)(first + i), (uint64_t)sample, 0);
        for (int64_t j = 0; j < n->size; j++)
            n->noise[i * n->size + j] = invar_random_normal(&random);
    }
}

/* Both spaces of one pass. */
static void keep_outputs(struct noise *n, int64_t first, int64_t count)
{
    const float *const outputs[] = {n->runner.h, n->runner.z};

    for (int s = 0; s < n->spaces; s++)
        for (int64_t i = 0; i < count; i++)
            for (int64_t j = 0; j < n->width[s]; j++)
                n->output[s][j * n->draws + first + i] = (double)outputs[s][i * n->width[s] + j];
}

/* Outputs that do not vary at all (behind a ReLU) are not tested. */
static bool test_outputs(struct noise *n, int level, int64_t sample, struct invar_error *err)
{
    for (int s = 0; s < n->spaces; s++)
        for (int64_t j = 0; j < n->width[s]; j++) {
            const double *x = n->output[s] + j * n->draws;
            struct invar_normality normality;
            struct invar_error why = {0};
            for (int64_t i = 0; i < n->draws; i++)
                if (!isfinite(x[i]))
                    return invar_error_set(err, INVAR_ERROR_NUMERIC,
                                           "the outputs for sample %lld with noise of level %g hold NaN or Inf",
                                           (long long)sample, n->in->options->noise_levels.value[level]);
            if (invar_measure_normality(x, n->draws, &normality, &why))
                n->p[s][(int64_t)level * n->samples * n->width[s] + n->tested[s][level]++] = normality.p_value;
            /* Equal values are the one refusal that is a result; they are counted as constant. */
            else if (why.code != INVAR_ERROR_NUMERIC)
                return invar_error_set(err, why.code, "%s", why.message);
        }
    return true;
}

/* A sum here and a mean at the end, as with the Jacobians, so that both are of the same inputs. */
static bool sum_sampled(struct noise *n, int level, struct invar_error *err)
{
    for (int s = 0; s < n->spaces; s++) {
        double nats;
        if (!inspect_conditional_sampled(n->in, n->output[s], n->width[s], n->draws, &nats, err))
            return false;
        n->sampled[s][level] += nats;
    }
    return true;
}

/* Noise is drawn once where one batch holds all draws, and drawn again, to the same numbers, where it does not. */
static bool test_input(struct noise *n, const float *input, int64_t sample, bool conditional, struct invar_error *err)
{
    for (int level = 0; level < n->levels; level++) {
        const float s = (float)n->in->options->noise_levels.value[level];
        for (int64_t first = 0; first < n->draws; first += RUNNER_BATCH) {
            const int64_t left = n->draws - first, count = left < RUNNER_BATCH ? left : RUNNER_BATCH;
            /* To draw costs more than to add: of one batch the draws of the first level serve all others. */
            if (level == 0 || n->draws > RUNNER_BATCH)
                draw(n, sample, first, count);
            for (int64_t i = 0; i < count * n->size; i++)
                n->noisy[i] = input[i % n->size] + s * n->noise[i];
            if (!runner_run(&n->runner, n->noisy, count, err))
                return false;
            keep_outputs(n, first, count);
        }
        if (!test_outputs(n, level, sample, err) || (conditional && !sum_sampled(n, level, err)))
            return false;
    }
    return !conditional || inspect_conditional_jacobian(n->in, &n->runner, input, n->jacobian, err);
}

/* ---- what comes of it ---- */

static bool add_table(struct noise *n, int s, struct table *t, struct invar_error *err)
{
    static const char *const names[SPACES][3] = {{"h_normal", "h_median_p", "h_constant"},
                                                 {"z_normal", "z_median_p", "z_constant"}};
    struct invar_findings *out = &n->in->out->section[INVAR_INSPECT_NOISE];

    t->fraction = inspect_add_series(out, names[s][0], "fraction", "of the outputs that vary: not rejected at 5 %",
                                     n->levels, err);
    t->median = inspect_add_series(out, names[s][1], "p", "median p of the outputs that vary; 0.5 where all are normal",
                                   n->levels, err);
    t->constant =
        inspect_add_series(out, names[s][2], "fraction", "of all outputs: do not vary at all", n->levels, err);
    return t->fraction && t->median && t->constant;
}

/* What was not tested is counted apart: outputs that are constant are neither normal nor not. */
static void fill_table(const struct noise *n, int s, struct table *t)
{
    for (int level = 0; level < n->levels; level++) {
        const int64_t all = n->samples * n->width[s], tested = n->tested[s][level];
        double *p = n->p[s] + level * all;
        int64_t normal = 0;
        for (int64_t i = 0; i < tested; i++)
            normal += p[i] >= significance;
        inspect_sort(p, tested);
        /* NaN and not 0 where nothing varies: 0 would read as outputs that are far from normal. */
        t->fraction[level] = tested ? (double)normal / (double)tested : NAN;
        t->median[level] = tested ? inspect_quantile(p, tested, 0.5) : NAN;
        t->constant[level] = (double)(all - tested) / (double)all;
    }
}

/* The highest level up to which outputs are normal at every level; 0: at none. */
static double normal_level(const struct noise *n, const struct table *t)
{
    double level = 0;

    /* It ends at the first level that fails: the assumption is about noise up to a level, and one that passes again
     * above says nothing of those below. */
    for (int i = 0; i < n->levels && t->fraction[i] >= mostly; i++)
        level = n->in->options->noise_levels.value[i];
    return level;
}

static void add_normal_level(struct noise *n, const char *name, const struct table *t)
{
    struct invar_findings *out = &n->in->out->section[INVAR_INSPECT_NOISE];
    const double level = normal_level(n, t);

    if (level > 0)
        inspect_add(out, name, "pixel deviations", level,
                    "highest level of the grid up to which 9 of 10 outputs are not rejected (95 of 100 if all are "
                    "normal)");
    else
        inspect_add_unknown(out, name, "pixel deviations",
                            "even at the lowest level more than a tenth of the outputs is rejected");
}

/* Gaussians of deviation s around two points D apart are told apart but for Phi(-D / 2s). */
static bool add_distances(struct noise *n, struct invar_error *err)
{
    static const double quantiles[] = {0, 0.05, 0.25, 0.5, 0.75, 1};
    struct invar_findings *out = &n->in->out->section[INVAR_INSPECT_NOISE];
    const int64_t rows = n->in->plain.input.shape[0];
    double *at =
        inspect_add_series(out, "nearest", "pixel deviations",
                           "distance of an input to the nearest other one: minimum, 5 %, quartiles, maximum", 6, err);
    double *mixed = at ? inspect_add_series(out, "mistaken", "fraction",
                                            "of the noise around the median nearest neighbours that is on the wrong "
                                            "side",
                                            n->levels, err)
                       : NULL;
    double *distance = mixed ? invar_alloc((size_t)rows, sizeof *distance, err) : NULL;
    const bool ok = distance && inspect_nearest(&n->in->plain.input, distance, err);

    if (ok) {
        inspect_sort(distance, rows);
        for (int i = 0; i < 6; i++)
            at[i] = inspect_quantile(distance, rows, quantiles[i]);
        for (int i = 0; i < n->levels; i++)
            /* Phi(-x) is erfc(x / sqrt 2) / 2, which keeps its digits far in the tail, where 1 - Phi(x) would be 0. */
            mixed[i] = erfc(at[3] / (2 * n->in->options->noise_levels.value[i]) / sqrt(2)) / 2;
        inspect_add(out, "nearest_median", "pixel deviations", at[3],
                    "median distance of an input to the nearest other one of the samples");
        /* Phi(-2) is 2.3 %: at a deviation of a quarter of the distance the half-way point is two deviations off. */
        inspect_add(out, "separate_level", "pixel deviations", at[1] / 4,
                    "a quarter of the 5 % quantile: below, noise around 19 of 20 inputs overlaps with no other by more "
                    "than 2.3 %");
    }
    invar_free(distance);
    return ok;
}

/* Means over the inputs: by draws and by the Jacobian, which agree while a draw stays within the piece of its input and
 * draws are more than the directions that they move. */
static bool add_conditional(struct noise *n, int s, struct invar_error *err)
{
    static const char *const names[SPACES][2] = {{"h_conditional_sampled", "h_conditional_jacobian"},
                                                 {"z_conditional_sampled", "z_conditional_jacobian"}};
    struct invar_findings *out = &n->in->out->section[INVAR_INSPECT_NOISE];
    double *sampled = inspect_add_series(
        out, names[s][0], "nats", "entropy (LogDet) of the outputs around an input, by the covariance of the draws",
        n->levels, err);
    double *jacobian = sampled
                           ? inspect_add_series(out, names[s][1], "nats",
                                                "the same by J Sigma J^T, J the Jacobian at the input", n->levels, err)
                           : NULL;

    for (int i = 0; jacobian && i < n->levels; i++) {
        sampled[i] = n->sampled[s][i] / (double)n->jacobians;
        jacobian[i] = n->jacobian[s][i] / (double)n->jacobians;
    }
    return jacobian != NULL;
}

/* Levels beside results: a level means something only beside the distances between inputs. */
static bool report(struct noise *n, struct invar_error *err)
{
    struct invar_findings *out = &n->in->out->section[INVAR_INSPECT_NOISE];
    struct table tables[SPACES];
    double *levels = inspect_add_series(out, "levels", "pixel deviations", "deviation s of the noise", n->levels, err);

    if (!levels)
        return false;
    memcpy(levels, n->in->options->noise_levels.value, (size_t)n->levels * sizeof *levels);
    for (int s = 0; s < n->spaces; s++) {
        if (!add_table(n, s, &tables[s], err))
            return false;
        fill_table(n, s, &tables[s]);
        if (n->jacobians && !add_conditional(n, s, err))
            return false;
    }
    add_normal_level(n, "normal_level_h", &tables[0]);
    if (n->spaces > 1)
        add_normal_level(n, "normal_level_z", &tables[1]);
    return add_distances(n, err);
}

/* Inputs evenly spaced over the samples, since noise draws times levels times inputs is what this section costs. */
bool inspect_noise(struct inspect *in, struct invar_error *err)
{
    const struct invar_inspect_subject *subject = in->subject;
    struct noise n = {.in = in,
                      .draws = in->options->noise_draws,
                      .levels = in->options->noise_levels.count,
                      .spaces = subject->projector ? 2 : 1,
                      .width = {in->out->h_width, in->out->z_width}};
    bool ok = false;

    if (!subject->encoder)
        return inspect_absent(&in->out->section[INVAR_INSPECT_NOISE],
                              "representations from elsewhere: there is no encoder whose input could get noise");
    if (in->options->noise_samples < 1)
        return inspect_absent(&in->out->section[INVAR_INSPECT_NOISE], "noise_samples is 0");
    const int64_t rows = in->plain.input.shape[0];
    if (rows < 2)
        return inspect_absent(&in->out->section[INVAR_INSPECT_NOISE], "one sample has no neighbour");
    /* An input has at least one other sample here, so that there is a distance to hold the levels against. */
    n.size = in->plain.input.shape[1];
    n.samples = rows < in->options->noise_samples ? rows : in->options->noise_samples;
    n.jacobians = n.samples < in->options->jacobian_samples ? n.samples : in->options->jacobian_samples;
    if (!runner_open(&n.runner, subject->device, subject->encoder, subject->projector, INVAR_PRECISION_FLOAT32, err) ||
        !room(&n, err))
        goto done;
    for (int64_t i = 0; i < n.samples; i++) {
        /* Over the whole range, as splits are often sorted by class. */
        const int64_t row = i * rows / n.samples;
        if (!test_input(&n, (const float *)in->plain.input.data + row * n.size,
                        ((const int64_t *)in->plain.index.data)[row * in->input_stride], i < n.jacobians, err) ||
            !inspect_tell(in, "noisy inputs", i + 1, n.samples, err))
            goto done;
    }
    ok = report(&n, err);
done:
    room_free(&n);
    return ok;
}
