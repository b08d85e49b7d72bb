/* SPDX-License-Identifier: Apache-2.0 */
/* Measures of docs/objectives_more.md: spectra, neighbours, likeness, tables of scores. */
#include "golden_runner/golden.h"

#include <stdlib.h>
#include <string.h>

static void give(struct golden_case *c, const char *name, double value)
{
    golden_give(c, name, false, c->tolerance_f64, &value, 1);
}

/* Runs `what` with matrix z (and y), scratch of its own. */
static bool with(struct golden_case *c, const char *first, const char *second,
                 bool (*what)(struct golden_case *c, struct invar_scratch *scratch, const struct invar_matrix *x,
                              const struct invar_matrix *y, struct invar_error *err),
                 struct invar_error *err)
{
    struct invar_scratch *scratch = invar_device_scratch_create(c->device, err);
    struct invar_matrix x = {0}, y = {0};
    const bool ok = scratch && golden_matrix(c, first, &x) && (!second || golden_matrix(c, second, &y)) &&
                    what(c, scratch, &x, &y, err);

    invar_free(x.data);
    invar_free(y.data);
    invar_scratch_free(scratch);
    return ok;
}

static bool lidar(struct golden_case *c, struct invar_scratch *scratch, const struct invar_matrix *x,
                  const struct invar_matrix *y, struct invar_error *err)
{
    const int64_t *shape = golden_input(c, "z")->shape;
    const struct invar_matrix z = {x->dtype, shape[0] * shape[1], shape[2], x->data};
    double *values = malloc(sizeof *values * (size_t)z.cols), out = 0;

    (void)y;
    const bool ok = values && invar_measure_lidar(c->device, scratch, &z, shape[1], golden_real(c, "delta", 1e-4),
                                                  golden_real(c, "eps", 0), values, &out, err);
    if (ok) {
        give(c, "lidar", out);
        golden_give(c, "eigenvalues", false, c->tolerance_f64, values, z.cols);
    }
    free(values);
    return ok;
}

static bool run_lidar(struct golden_case *c, struct invar_error *err)
{
    return with(c, "z", NULL, lidar, err);
}

static bool alpha_req(struct golden_case *c, struct invar_scratch *scratch, const struct invar_matrix *x,
                      const struct invar_matrix *y, struct invar_error *err)
{
    const char *weights = cJSON_GetStringValue(golden_option(c, "weights"));
    const struct invar_power_law_options options = {.first = (int64_t)golden_real(c, "first", 1),
                                                    .last = (int64_t)golden_real(c, "last", 0),
                                                    .inverse_rank = weights && strcmp(weights, "inverse_rank") == 0,
                                                    .centre = golden_flag(c, "centre"),
                                                    .threshold = golden_real(c, "threshold", 1e-12)};
    struct invar_power_law out;

    (void)y;
    if (!invar_measure_power_law(c->device, scratch, x, &options, &out, err))
        return false;
    give(c, "alpha", out.alpha);
    give(c, "intercept", out.intercept);
    give(c, "ranks", (double)out.ranks);
    return true;
}

static bool run_alpha_req(struct golden_case *c, struct invar_error *err)
{
    return with(c, "z", NULL, alpha_req, err);
}

static bool stable_rank(struct golden_case *c, struct invar_scratch *scratch, const struct invar_matrix *x,
                        const struct invar_matrix *y, struct invar_error *err)
{
    double out;

    (void)y;
    if (!invar_measure_stable_rank(c->device, scratch, x, golden_flag(c, "centre"), &out, err))
        return false;
    give(c, c->term, out);
    return true;
}

static bool run_stable_rank(struct golden_case *c, struct invar_error *err)
{
    return with(c, "z", NULL, stable_rank, err);
}

static bool two_nn(struct golden_case *c, struct invar_scratch *scratch, const struct invar_matrix *x,
                   const struct invar_matrix *y, struct invar_error *err)
{
    struct invar_two_nn out;

    (void)y;
    golden_fixed(c, "estimator", "\"fit\"");
    if (!invar_measure_two_nn(c->device, scratch, x, golden_real(c, "discard", 0.1), &out, err))
        return false;
    give(c, "dimension", out.dimension);
    give(c, "used", (double)out.used);
    give(c, "left_out", (double)out.left_out);
    return true;
}

static bool run_two_nn(struct golden_case *c, struct invar_error *err)
{
    return with(c, "z", NULL, two_nn, err);
}

static bool cka(struct golden_case *c, struct invar_scratch *scratch, const struct invar_matrix *x,
                const struct invar_matrix *y, struct invar_error *err)
{
    struct invar_cka out;

    golden_fixed(c, "kernel", "\"linear\"");
    if (!invar_measure_cka(c->device, scratch, x, y, golden_flag(c, "unbiased"), &out, err))
        return false;
    give(c, "cka", out.cka);
    give(c, "hsic_xy", out.hsic_xy);
    give(c, "hsic_xx", out.hsic_xx);
    give(c, "hsic_yy", out.hsic_yy);
    return true;
}

static bool run_cka(struct golden_case *c, struct invar_error *err)
{
    return with(c, "x", "y", cka, err);
}

static bool run_human_normalised(struct golden_case *c, struct invar_error *err)
{
    const struct invar_array *score = golden_input(c, "score"), *human = golden_input(c, "human"),
                             *random = golden_input(c, "random");
    const cJSON *list = golden_option(c, "percentiles"), *item;
    struct invar_human_normalised out;
    double below[16], percentiles[16], normalised[256];
    int64_t count = 0;

    cJSON_ArrayForEach(item, list)
    {
        if (count < 16)
            below[count++] = item->valuedouble;
    }
    if (!score || !human || !random || score->shape[0] > 256)
        return golden_fail(c, "score, human and random are needed");
    if (!invar_measure_human_normalised(score->data, human->data, random->data, score->shape[0],
                                        golden_real(c, "cap", 100), below, count, percentiles, normalised, &out, err))
        return false;
    give(c, "capped_mean", out.capped_mean);
    give(c, "superhuman", (double)out.superhuman);
    give(c, "mean", out.mean);
    give(c, "median", out.median);
    golden_give(c, "percentiles", false, c->tolerance_f64, percentiles, count);
    golden_give(c, "normalised", false, c->tolerance_f64, normalised, score->shape[0]);
    return true;
}

static bool run_interquartile_mean(struct golden_case *c, struct invar_error *err)
{
    const struct invar_array *scores = golden_input(c, "scores");
    struct invar_interquartile out;

    if (!scores)
        return golden_fail(c, "scores are needed");
    if (!invar_measure_interquartile(scores->data, scores->shape[0], scores->shape[1], golden_real(c, "trim", 0.25),
                                     golden_real(c, "gamma", 1), &out, err))
        return false;
    give(c, "iqm", out.iqm);
    give(c, "mean", out.mean);
    give(c, "median", out.median);
    give(c, "optimality_gap", out.optimality_gap);
    return true;
}

const struct golden_kind golden_spectra[] = {
    {"lidar", GOLDEN_F32 | GOLDEN_F64, run_lidar},
    {"alpha_req", GOLDEN_F32 | GOLDEN_F64, run_alpha_req},
    {"nesum", GOLDEN_F32 | GOLDEN_F64, run_stable_rank},
    {"stable_rank", GOLDEN_F32 | GOLDEN_F64, run_stable_rank},
    {"two_nn", GOLDEN_F32 | GOLDEN_F64, run_two_nn},
    {"cka", GOLDEN_F32 | GOLDEN_F64, run_cka},
    {"human_normalised", GOLDEN_F64, run_human_normalised},
    {"interquartile_mean", GOLDEN_F64, run_interquartile_mean},
    {0},
};
