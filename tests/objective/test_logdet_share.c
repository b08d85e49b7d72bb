/* SPDX-License-Identifier: Apache-2.0 */
/* The share of LogDet against invariance: as the formula has it, and as the loss itself decides. */
#include "device.h"

#define NONE (-1.0)

static struct invar_objective *make(const char *yaml)
{
    struct invar_error err = {0};
    struct invar_node *node = invar_node_parse(yaml, strlen(yaml), "test.yaml", &err);
    struct invar_objective *objective = node ? invar_objective_create(node, &err) : NULL;

    invar_node_free(node);
    if (!objective)
        fail_msg("%s: %s", yaml, err.message);
    return objective;
}

static double share_of(const char *yaml, int views, int64_t d)
{
    struct invar_objective *objective = make(yaml);
    struct invar_logdet_share share;
    const bool found = invar_objective_logdet_share(objective, views, d, &share);

    invar_objective_free(objective);
    return found ? share.r : NONE;
}

static const struct {
    const char *yaml;
    int views;
    double r; /* d is 16 */
} shares[] = {
    {"entropy_invariance: {beta: 10}", 2, 10},
    {"entropy_invariance: {beta: 10, weight_invariance: 25}", 2, 0.4},
    {"entropy_invariance: {weight: 7, beta: 5, weight_entropy: 3, weight_invariance: 2}", 2, 7.5},
    {"entropy_invariance: {beta: 10, divide_by: none}", 2, 160},
    {"entropy_invariance: {beta: 10, invariance_divide_by: n}", 2, 0.625},
    {"entropy_invariance: {beta: 10}", 3, 5},
    {"invariance: {weight: 5}\nlogdet: {weight: -1, beta: 10}", 2, 2},
    {"invariance: {weight: 5}\nlogdet: {weight: -3, beta: 10, over_views: mean}", 2, 3},
    {"invariance: {normalise_pairs: true}\nlogdet: {weight: -1, beta: 10}", 4, 20},
    {"vicreg: {mu: 0, nu: 0}\nlogdet: {weight: -1, beta: 10}", 2, 0.4},
    /* no pair, or nothing that the formula is about */
    {"logdet: {weight: -1}", 2, NONE},
    {"invariance:", 2, NONE},
    {"vicreg:", 2, NONE},
    {"vicreg:\nlogdet: {weight: -1}", 2, NONE},
    {"variance:\ninvariance: {weight: 25}\nlogdet: {weight: -1}", 2, NONE},
    {"invariance: {weight: 25}\nlogdet: {weight: -1, normalise: true}", 2, NONE},
    {"invariance: {weight: 25, normalise: true}\nlogdet: {weight: -1}", 2, NONE},
    {"entropy_invariance: {entropy: pairdist}", 2, NONE},
    {"entropy_invariance: {weight_invariance: 0}", 2, NONE},
    {"byol:\nlogdet: {weight: -1}", 2, NONE},
};

static void shares_are_those_of_the_formula(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        const double r = share_of(shares[i].yaml, shares[i].views, 16);
        if (!(fabs(r - shares[i].r) <= 1e-12 * fabs(shares[i].r)))
            fail_msg("%s: r is %g, expected %g", shares[i].yaml, r, shares[i].r);
    }
}

/* Slope of the loss by the scale of embeddings that are small, and whose share of view noise is nu. */
static double slope(const char *yaml, int views, double nu)
{
    enum { N = 2000, D = 16 };
    struct invar_objective *objective = make(yaml);
    struct invar_embeddings in = {.views = views}, gradient = {.views = views};
    struct invar_error err = {0};
    double loss, along = 0;

    for (int v = 0; v < views; v++) {
        struct invar_matrix x = {.dtype = INVAR_FLOAT64, .rows = N, .cols = D};
        struct invar_random shared = invar_random_stream(5, INVAR_RANDOM_TEST, 0, 0, 0);
        struct invar_random own = invar_random_stream(5, INVAR_RANDOM_TEST, 1, (uint64_t)v, 0);
        double *data = calloc(N * D, sizeof(double));
        x.data = invar_device_alloc(device, N * D, sizeof *data, NULL);
        for (int i = 0; i < N * D; i++)
            data[i] = 1e-4 * (sqrt(1 - nu) * (double)invar_random_normal(&shared) +
                              sqrt(nu) * (double)invar_random_normal(&own));
        invar_device_upload(device, x.data, data, N * D * sizeof *data);
        free(data);
        in.by[INVAR_ROLE_Z][v] = x;
        gradient.by[INVAR_ROLE_Z][v] = x;
        gradient.by[INVAR_ROLE_Z][v].data = invar_device_alloc(device, N * D, sizeof(double), NULL);
    }
    assert_ok(invar_objective_evaluate(objective, device, &in, &gradient, &loss, NULL, &err), &err);
    for (int v = 0; v < views; v++) {
        along += FOUND(invar_dense_dot(device, &in.by[INVAR_ROLE_Z][v], &gradient.by[INVAR_ROLE_Z][v], 1, slot));
        invar_device_free(device, in.by[INVAR_ROLE_Z][v].data);
        invar_device_free(device, gradient.by[INVAR_ROLE_Z][v].data);
    }
    invar_objective_free(objective);
    return along;
}

/* Small embeddings grow where nu < r / 2 and shrink where it is above: the loss says so, whatever the options. */
static void the_loss_turns_where_the_share_says(void **state)
{
    static const struct {
        const char *yaml;
        int views;
    } cases[] = {
        {"entropy_invariance: {beta: 10, weight_invariance: 10}", 2},
        {"entropy_invariance: {beta: 5, divide_by: none, weight_invariance: 60}", 3},
        {"entropy_invariance: {beta: 10, invariance_divide_by: n}", 2},
        {"invariance: {weight: 9}\nlogdet: {weight: -1, beta: 8}", 2},
        {"invariance: {weight: 5, normalise_pairs: true, divide_by: n}\nlogdet: {weight: -5, beta: 5}", 4},
        {"invariance: {weight: 5}\nlogdet: {weight: -1, beta: 10, over_views: mean}", 2},
        {"vicreg: {mu: 0, nu: 0}\nlogdet: {weight: -1, beta: 20}", 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double r = share_of(cases[i].yaml, cases[i].views, 16);
        assert_true(r > 0.2 && r < 1.8);
        if (!(slope(cases[i].yaml, cases[i].views, 0.9 * r / 2) < 0))
            fail_msg("%s: r is %g, but embeddings shrink with less noise", cases[i].yaml, r);
        if (!(slope(cases[i].yaml, cases[i].views, 1.1 * r / 2) > 0))
            fail_msg("%s: r is %g, but embeddings grow with more noise", cases[i].yaml, r);
    }
}

static void the_options_to_change_are_named(void **state)
{
    struct invar_objective *objective = make("invariance: {weight: 25}\nlogdet: {weight: -1, beta: 10}");
    struct invar_logdet_share share;

    (void)state;
    assert_true(invar_objective_logdet_share(objective, 2, 8, &share));
    assert_string_equal(share.entropy, "terms.logdet.weight");
    assert_string_equal(share.invariance, "terms.invariance.weight");
    assert_near(share.weight_invariance, 25, 0);
    invar_objective_free(objective);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_those_of_the_formula),
        cmocka_unit_test(the_loss_turns_where_the_share_says),
        cmocka_unit_test(the_options_to_change_are_named),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
