/* SPDX-License-Identifier: Apache-2.0 */
/* [A1], [A5] and the chain of [A4]: what has arrays for results. */
#include "golden_runner/golden.h"
#include "objective/whiten.h"

#include <string.h>

static enum invar_ball ball_of(struct golden_case *c)
{
    const cJSON *p = golden_option(c, "p");
    const char *text = cJSON_GetStringValue(p);

    if (text ? strcmp(text, "inf") != 0 : !cJSON_IsNumber(p) || (p->valuedouble != 1 && p->valuedouble != 2))
        golden_fail(c, "the option p must be 1, 2 or inf");
    return text ? INVAR_BALL_INF : cJSON_IsNumber(p) && p->valuedouble == 1 ? INVAR_BALL_1 : INVAR_BALL_2;
}

/* options of the case to those of the term */
static bool set_options(struct golden_case *c, const struct invar_term_spec *term, void *options,
                        struct invar_error *err)
{
    static const char *const names[] = {"lambda", "target", "both"};
    char assignment[256];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const cJSON *item = golden_option(c, names[i]);
        if (!item)
            continue;
        golden_assignment(item, assignment, sizeof assignment);
        if (!invar_options_set(term->options, options, assignment, err))
            return false;
    }
    return invar_options_set(term->options, options, "predictor=linear", err);
}

/* zeroed memory of the case's scratch */
static struct invar_matrix room(struct golden_case *c, struct invar_scratch *scratch, int64_t rows, int64_t cols)
{
    struct invar_matrix x = {0};
    struct invar_error err = {0};

    if (!invar_dense_take(scratch, c->precision, rows, cols, &x, &err))
        golden_fail(c, "%s", err.message);
    else
        invar_dense_zero(c->device, &x);
    return x;
}

static void give(struct golden_case *c, const char *name, bool gradient, const struct invar_matrix *x)
{
    golden_give_data(c, name, gradient, x->dtype, x->data, x->rows * x->cols);
}

static bool run_perturb(struct golden_case *c, struct invar_error *err)
{
    struct invar_scratch *scratch = invar_device_scratch_create(c->device, err);
    struct invar_matrix x = {0}, raw = {0}, d_delta = {0};
    const double eps = golden_real(c, "eps", 0);
    bool ok =
        scratch && golden_matrix(c, "x", &x) && golden_matrix(c, "raw", &raw) && golden_matrix(c, "d_delta", &d_delta);
    double *norms = ok ? invar_scratch_take(scratch, (size_t)x.rows, sizeof *norms, err) : NULL;

    golden_differentiates(c, "sum(delta*d_delta)");
    if (norms && golden_real(c, "dim", (double)x.cols) != (double)x.cols)
        golden_fail(c, "the option dim is not the number of columns of x");
    if (norms) {
        const struct invar_matrix delta = room(c, scratch, x.rows, x.cols);
        invar_dense_project(c->device, ball_of(c), eps, &raw, NULL, &delta, norms);
        give(c, "delta", false, &delta);
        invar_dense_add(c->device, 1, &delta, &x);
        give(c, "x_tilde", false, &x);
        invar_dense_project_backward(c->device, ball_of(c), eps, &raw, NULL, norms, &d_delta, 1, &d_delta);
        give(c, "raw", true, &d_delta);
    }
    invar_free(x.data);
    invar_free(raw.data);
    invar_free(d_delta.data);
    invar_scratch_free(scratch);
    return norms != NULL;
}

/* float64 inside, whatever comes in */
static bool run_whiten(struct golden_case *c, struct invar_error *err)
{
    struct invar_scratch *scratch = invar_device_scratch_create(c->device, err);
    struct invar_matrix z = {0}, dy = {0}, y = {0}, by = {0};
    struct invar_whitening w;
    bool ok = scratch && golden_matrix(c, "z", &z) && golden_matrix(c, "d_z_white", &dy) &&
              invar_dense_take(scratch, INVAR_FLOAT64, z.rows, z.cols, &y, err) &&
              invar_dense_take(scratch, INVAR_FLOAT64, z.rows, z.cols, &by, err) &&
              whitening_take(scratch, z.rows, z.cols, &w, err);
    const double ridge = golden_real(c, "ridge", 0);

    golden_fixed(c, "factor", "\"cholesky_lower\"");
    golden_fixed(c, "centre", "true");
    golden_differentiates(c, "sum(z_white*d_z_white)");
    if (ok) {
        whitening_factor(c->device, &w, &z, ridge, 0);
        whitening_apply(c->device, &w, NULL, &y);
        give(c, "z_white", false, &y);
        invar_dense_copy(c->device, &dy, &by);
        ok = whitening_own_backward(c->device, scratch, &w, &y, &by, err);
        give(c, "z", true, &by);
    }
    invar_free(z.data);
    invar_free(dy.data);
    invar_scratch_free(scratch);
    return ok;
}

struct chain {
    struct invar_matrix x, raw, encoder, predictor;
    struct invar_scratch *scratch, *term;
};

/* perturbation, linear encoder, the term aplr with a linear predictor, and back to the raw direction */
static bool run_links(struct golden_case *c, struct chain *k, struct invar_error *err)
{
    const struct invar_term_spec *term = invar_term_find("aplr", err);
    const double eps = golden_real(c, "eps", 0);
    const int64_t n = k->x.rows, dim = k->x.cols, d = k->encoder.rows;
    void *options = invar_scratch_take(k->scratch, 1, term->options_size, err);
    double *norms = invar_scratch_take(k->scratch, (size_t)n, sizeof *norms, err);
    struct invar_embeddings in = {.views = 2}, by = {.views = 2};
    struct invar_term_value value;

    if (!options || !norms)
        return false;
    memset(options, 0, term->options_size);
    const struct invar_matrix delta = room(c, k->scratch, n, dim), moved = room(c, k->scratch, n, dim);
    const struct invar_matrix dw = room(c, k->scratch, d, dim), dx = room(c, k->scratch, n, dim);
    for (int v = 0; v < 2; v++) {
        in.by[INVAR_ROLE_Z][v] = room(c, k->scratch, n, d);
        by.by[INVAR_ROLE_Z][v] = room(c, k->scratch, n, d);
    }
    in.by[INVAR_ROLE_W][0] = k->predictor;
    by.by[INVAR_ROLE_W][0] = room(c, k->scratch, d, d);
    invar_dense_project(c->device, ball_of(c), eps, &k->raw, NULL, &delta, norms);
    invar_dense_copy(c->device, &k->x, &moved);
    invar_dense_add(c->device, 1, &delta, &moved);
    invar_dense_product(c->device, false, true, 1, &k->x, &k->encoder, 0, &in.by[INVAR_ROLE_Z][0]);
    invar_dense_product(c->device, false, true, 1, &moved, &k->encoder, 0, &in.by[INVAR_ROLE_Z][1]);
    invar_options_default(term->options, options);
    golden_differentiates(c, "loss");
    if (!set_options(c, term, options, err) || !term->check(options, &in, err) ||
        !invar_term_evaluate(
            term,
            (struct invar_term_call){
                .device = c->device, .scratch = k->term, .options = options, .in = &in, .weight = 1, .gradient = &by},
            &value, err))
        return false;
    golden_give_scalar(c, "loss", value.loss);
    for (int i = 0; i < value.count; i++)
        golden_give_scalar(c, value.part[i].name, value.part[i].value);
    invar_dense_product(c->device, true, false, 1, &by.by[INVAR_ROLE_Z][0], &k->x, 0, &dw);
    invar_dense_product(c->device, true, false, 1, &by.by[INVAR_ROLE_Z][1], &moved, 1, &dw);
    invar_dense_product(c->device, false, false, 1, &by.by[INVAR_ROLE_Z][1], &k->encoder, 0, &dx);
    invar_dense_project_backward(c->device, ball_of(c), eps, &k->raw, NULL, norms, &dx, 1, &dx);
    give(c, "encoder.weight", true, &dw);
    give(c, "predictor.weight", true, &by.by[INVAR_ROLE_W][0]);
    give(c, "raw", true, &dx);
    return true;
}

static bool run_chain(struct golden_case *c, struct invar_error *err)
{
    struct chain k = {.scratch = invar_device_scratch_create(c->device, err),
                      .term = invar_device_scratch_create(c->device, err)};
    const bool ok = k.scratch && k.term && golden_matrix(c, "x", &k.x) && golden_matrix(c, "raw", &k.raw) &&
                    golden_matrix(c, "encoder.weight", &k.encoder) &&
                    golden_matrix(c, "predictor.weight", &k.predictor) && run_links(c, &k, err);

    invar_free(k.x.data);
    invar_free(k.raw.data);
    invar_free(k.encoder.data);
    invar_free(k.predictor.data);
    invar_scratch_free(k.scratch);
    invar_scratch_free(k.term);
    return ok;
}

const struct golden_kind golden_adversarial[] = {
    {"perturb", GOLDEN_F32 | GOLDEN_F64, run_perturb},
    {"whiten", GOLDEN_F32 | GOLDEN_F64, run_whiten},
    {"aplr_chain", GOLDEN_F32 | GOLDEN_F64, run_chain},
    {0},
};
