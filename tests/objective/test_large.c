/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terms at the size of a large batch, N = 1024 and d = 2048: float32 against float64 in value and gradient, float64
 * against the formulas once more in plain loops, and the gradient of all of them along a direction.
 */
#include "device.h"
#include "plain_loops.h"

#define TOLERANCE 1e-5

/* A term with state at its second step, where a queue has rows. */
static double evaluate(const char *yaml, struct inputs *x, bool gradient)
{
    struct invar_error err = {0};
    struct invar_node *node = invar_node_parse(yaml, strlen(yaml), "test.yaml", &err);
    struct invar_objective *objective = node ? invar_objective_create(node, &err) : NULL;
    struct invar_ledger ledger;
    int64_t numbers = 0;
    double loss = 0;

    if (!objective)
        fail_msg("%s: %s", yaml, err.message);
    assert_ok(invar_objective_check(objective, &x->in, &err), &err);
    struct invar_evaluator *e = invar_evaluator_create(objective, device, &x->in, &err);
    assert_ok(e != NULL, &err);
    struct invar_scratch *own = invar_device_scratch_create(device, &err);
    assert_ok(own && invar_ledger_take(device, own, invar_evaluator_slots(e), &ledger, &err), &err);
    for (int step = invar_evaluator_state(e, 0, &numbers) ? 0 : 1; step < 2; step++) {
        invar_ledger_clear(&ledger);
        assert_ok(invar_evaluator_run(e, &ledger, &x->in, gradient ? &x->gradient : NULL, NULL,
                                      (struct invar_term_key){0}, &err),
                  &err);
        invar_device_read(&ledger);
        assert_ok(invar_evaluator_settle(e, &loss, NULL, &err), &err);
    }
    invar_scratch_free(own);
    invar_evaluator_free(e);
    invar_objective_free(objective);
    invar_node_free(node);
    return loss;
}

enum { FEW = N / 16, SOME = D / 4 };

struct large_term {
    const char *name, *options;
    double (*plain)(const struct inputs *x); /* NULL: a sum of those that have one */
    bool narrow;                             /* at NARROW_D */
    bool half;                               /* the plain input has half the columns of z */
    int64_t columns; /* above 0: of z, where what grows with their cube would take the test's time */
};

static const struct large_term terms[] = {
    {"relic", "tau: 0.1", plain_relic_samples, false, false, 0},
    {"relic", "tau: 0.1, groups: true", plain_relic_groups, false, false, 0},
    {"relic", "tau: 0.2, target: true", plain_relic_target, false, false, 0},
    {"relic", "contrast_set: 64, rho: 0.1", NULL, false, false, 0},
    {"ntxent", "tau: 0.2", plain_ntxent, false, false, 0},
    {"byol", "", plain_byol, false, false, 0},
    {"imix", "", plain_imix, false, false, 0},
    {"cross_entropy", "", plain_cross_entropy, false, false, 0},
    {"reconstruction", "", plain_reconstruction, false, false, 0},
    {"orthonormality", "", plain_orthonormality, false, false, 0},
    {"denoising", "", plain_denoising, false, false, 0},
    {"vime", "", plain_vime, false, true, 0},
    {"barlow", "", plain_barlow, false, false, 0},
    {"invariance", "", plain_invariance, false, false, 0},
    {"variance", "", plain_variance, false, false, 0},
    {"covariance", "", plain_covariance, false, false, 0},
    {"logdet", "beta: 10", plain_logdet, false, false, 0},
    {"logdet", "beta: 10", plain_logdet_narrow, true, false, 0},
    {"pairdist", "normalise: true, sigma: 0.45", plain_pairdist_kl, false, false, 0},
    {"pairdist", "normalise: true, sigma: 0.3, distance: bhattacharyya", plain_pairdist_bhattacharyya, false, false, 0},
    {"pairdist", "normalise: true, sigma: 0.3, distance: chernoff, chernoff_alpha: 0.2", plain_pairdist_chernoff, false,
     false, 0},
    {"vicreg", "", NULL, false, false, 0},
    {"aplr", "", NULL, false, false, 0},
    {"entropy_invariance", "beta: 10", NULL, false, false, 0},
    {"uniformity", "", NULL, false, false, SOME},
    {"koleo", "", NULL, false, false, SOME},
    {"sigreg", "slices: 16", NULL, false, false, SOME},
    {"visreg", "slices: 16", NULL, false, false, SOME},
    {"tcr", "", NULL, false, false, SOME},
    {"vne", "", NULL, false, false, FEW},
    {"frossl", "", NULL, false, false, SOME},
    {"mmcr", "", NULL, false, false, FEW},
    {"spectral_contrastive", "", NULL, false, false, SOME},
    {"supcon", "", NULL, false, false, SOME},
    {"soft_hgr", "", NULL, false, false, SOME},
    {"mec", "", NULL, false, false, SOME},
    {"wmse", "shrink: 0.5", NULL, false, false, SOME},
    {"ssl_hsic", "", NULL, false, false, SOME},
    {"mmd", "sigma: 40", NULL, false, false, SOME},
    {"moco", "queue: 64", NULL, false, false, SOME},
    {"nnclr", "queue: 64", NULL, false, false, 0},
    {"corinfomax", "", NULL, false, false, SOME},
    {"tico", "", NULL, false, false, SOME},
    {"dino", "", NULL, false, false, SOME},
    {"swav", "", NULL, false, false, SOME},
};
#define TERM_COUNT (sizeof terms / sizeof *terms)

static void every_term_is_here(void **state)
{
    (void)state;
    for (const struct invar_term_spec *const *term = invar_term_list(); *term; term++) {
        bool found = false;
        for (size_t i = 0; i < TERM_COUNT; i++)
            found = found || strcmp(terms[i].name, (*term)->name) == 0;
        if (!found)
            fail_msg("the term %s is not tried at %d x %d: add it", (*term)->name, N, D);
    }
}

static void expect_close_gradients(const char *yaml, const struct inputs *narrow, const struct inputs *wide)
{
    double apart = 0, size = 0;

    for (int role = INVAR_ROLE_Z; role < INVAR_ROLE_T; role++)
        for (int v = 0; v < 2; v++) {
            const struct invar_matrix *m = &narrow->gradient.by[role][v];
            const float *got = m->data;
            const double *expected = wide->gradient.by[role][v].data;
            for (int64_t i = 0; i < m->rows * m->cols; i++) {
                apart += ((double)got[i] - expected[i]) * ((double)got[i] - expected[i]);
                size += expected[i] * expected[i];
            }
        }
    if (!(sqrt(apart) <= TOLERANCE * sqrt(size) && size > 0))
        fail_msg("%s: the float32 gradient is off by %.3g of %.3g", yaml, sqrt(apart), sqrt(size));
}

/* The roles that have the columns of the plain input, as many as z has or half of them. */
static void set_plain_width(struct inputs *x, bool half)
{
    const int64_t width = x->in.by[INVAR_ROLE_Z][0].cols;

    for (int v = 0; v < 2; v++)
        x->in.by[INVAR_ROLE_X][v].cols = x->in.by[INVAR_ROLE_M][v].cols = half ? width / 2 : width;
}

static void set_width(struct inputs *x, int64_t width)
{
    for (int v = 0; v < 2; v++)
        x->in.by[INVAR_ROLE_Z][v].cols = x->gradient.by[INVAR_ROLE_Z][v].cols = width;
}

static void check_terms(bool narrow)
{
    struct inputs single, wide;

    open_inputs(&single, INVAR_FLOAT32, narrow ? NARROW_D : D);
    open_inputs(&wide, INVAR_FLOAT64, narrow ? NARROW_D : D);
    if (!narrow)
        make_cosines(&wide);
    for (size_t i = 0; i < TERM_COUNT; i++) {
        char yaml[256];
        if (terms[i].narrow != narrow)
            continue;
        const int64_t width = terms[i].columns ? terms[i].columns : narrow ? NARROW_D : D;
        set_width(&single, width);
        set_width(&wide, width);
        set_plain_width(&single, terms[i].half);
        set_plain_width(&wide, terms[i].half);
        snprintf(yaml, sizeof yaml, "%s: {%s}", terms[i].name, terms[i].options);
        const double expected = evaluate(yaml, &wide, true), got = evaluate(yaml, &single, true);
        if (!(fabs(got - expected) <= TOLERANCE * fabs(expected)))
            fail_msg("%s: %.9g in float32, %.9g in float64", yaml, got, expected);
        expect_close_gradients(yaml, &single, &wide);
        const double plain = terms[i].plain ? terms[i].plain(&wide) : expected;
        if (!(fabs(expected - plain) <= 1e-10 * fabs(plain)))
            fail_msg("%s: %.15g, expected %.15g", yaml, expected, plain);
    }
    if (!narrow)
        free_cosines();
    close_inputs(&single);
    close_inputs(&wide);
}

static void float32_and_plain_loops_agree(void **state)
{
    (void)state;
    check_terms(false);
}

static void float32_and_plain_loops_agree_with_few_dimensions(void **state)
{
    (void)state;
    check_terms(true);
}

static double move(struct inputs *x, double step)
{
    double along = 0;

    for (int role = INVAR_ROLE_Z; role < INVAR_ROLE_T; role++)
        for (int v = 0; v < 2; v++) {
            struct invar_random random = invar_random_stream(SEED, INVAR_RANDOM_TEST, 2, (uint64_t)role, (uint32_t)v);
            double *z = x->in.by[role][v].data;
            const double *dz = x->gradient.by[role][v].data;
            for (int64_t i = 0; i < (int64_t)N * D; i++) {
                const double way = (double)invar_random_normal(&random);
                z[i] += step * way;
                along += way * dz[i];
            }
        }
    return along;
}

/* all at once, each with a weight that lets its slope count */
static void the_gradient_of_all_is_their_slope(void **state)
{
    static const char sum[] = "relic: {tau: 0.2}\nntxent: {weight: 2}\nbyol: {}\nbarlow: {weight: 0.01}\n"
                              "vicreg: {}\nlogdet: {weight: -3, beta: 10}\n"
                              "pairdist: {weight: -5, normalise: true, sigma: 0.45}\n";
    const double step = 1e-5;
    struct inputs x;

    (void)state;
    open_inputs(&x, INVAR_FLOAT64, D);
    evaluate(sum, &x, true);
    const double along = move(&x, step);
    const double above = evaluate(sum, &x, false);
    move(&x, -2 * step);
    const double below = evaluate(sum, &x, false);
    assert_near((above - below) / (2 * step) / along, 1, 1e-5);
    close_inputs(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_term_is_here),
        cmocka_unit_test(float32_and_plain_loops_agree),
        cmocka_unit_test(float32_and_plain_loops_agree_with_few_dimensions),
        cmocka_unit_test(the_gradient_of_all_is_their_slope),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
