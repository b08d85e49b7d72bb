/* SPDX-License-Identifier: Apache-2.0 */
/* The work space that is foretold from small matrices, beside what large ones take. */
#include "test.h"

#include "invar/expert/random.h"
#include "invar/invar.h"

enum { N = 700, D = 180, VIEWS = 2 };

static const char *const objectives[] = {
    "relic: {}",
    "relic: {target: true, pairs: adjacent}",
    "relic: {contrast_set: 350}",
    "ntxent: {}",
    "byol: {}",
    "imix: {}",
    "cross_entropy: {}",
    "barlow: {}",
    "vicreg: {}",
    "logdet: {}\ninvariance: {}",
    "pairdist: {sigma: 2}",
    "entropy_invariance: {entropy: pairdist, normalise: true}",
    "reconstruction: {}\northonormality: {both: true}",
    "reconstruction: {whiten: true}",
    "denoising: {}",
};

static struct invar_matrix filled(struct invar_device *device, struct invar_scratch *scratch, bool constant)
{
    static float values[N * D];
    struct invar_random random = invar_random_stream(3, INVAR_RANDOM_TEST, 0, constant, 0);
    struct invar_error err = {0};
    struct invar_matrix x;

    assert_ok(invar_dense_take(scratch, INVAR_FLOAT32, N, D, &x, &err), &err);
    invar_random_normals(&random, values, N * D);
    invar_device_upload(device, x.data, values, sizeof values);
    return x;
}

/* What the terms take with matrices of that size, one after the other: the most of them. */
static size_t taken(const struct invar_objective *objective, const struct invar_embeddings *shapes)
{
    static int64_t ids[N], partner[N];
    static double share[N];
    struct invar_error err = {0};
    struct invar_device *device = test_device_open(1, &err);
    struct invar_scratch *scratch = invar_device_scratch_create(device, &err);
    struct invar_scratch *matrices = invar_device_scratch_create(device, &err);
    struct invar_embeddings in = *shapes, gradient = {.views = VIEWS, .targets = VIEWS};
    size_t most = 0;

    for (int i = 0; i < N; i++) {
        ids[i] = i % 3;
        partner[i] = (i + 1) % N;
        share[i] = 0.5;
    }
    in.groups = in.labels = ids;
    in.partner = partner;
    in.share = share;
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < VIEWS; view++)
            if (in.by[role][view].rows > 0) {
                in.by[role][view] = filled(device, matrices, false);
                if (!invar_role_is_constant((enum invar_role)role))
                    gradient.by[role][view] = filled(device, matrices, true);
            }
    for (int i = 0; i < invar_objective_count(objective); i++) {
        struct invar_ledger ledger;
        struct invar_term_sum sum = {.ledger = &ledger};
        const struct invar_term_call call = {.device = device,
                                             .scratch = scratch,
                                             .options = invar_objective_options(objective, i),
                                             .in = &in,
                                             .weight = 1,
                                             .gradient = &gradient,
                                             .sum = &sum};
        assert_ok(invar_ledger_take(device, matrices, INVAR_MAX_PARTS, &ledger, &err), &err);
        invar_scratch_reset(scratch);
        assert_ok(invar_objective_term(objective, i)->evaluate(&call, &err), &err);
        most = invar_scratch_used(scratch) > most ? invar_scratch_used(scratch) : most;
    }
    invar_scratch_free(scratch);
    invar_scratch_free(matrices);
    invar_device_close(device);
    return most;
}

static void test_foretold(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof objectives / sizeof *objectives; k++) {
        struct invar_embeddings shapes = {.views = VIEWS, .targets = VIEWS};
        struct invar_error err = {0};
        struct invar_node *node = invar_node_parse(objectives[k], strlen(objectives[k]), "test", &err);
        struct invar_objective *objective = node ? invar_objective_create(node, &err) : NULL;
        size_t bytes;

        assert_ok(objective != NULL, &err);
        for (int role = 0; role <= INVAR_ROLE_X; role++)
            for (int view = 0; view < VIEWS; view++)
                if (invar_objective_roles(objective) & INVAR_ROLE_BIT(role))
                    shapes.by[role][view] = (struct invar_matrix){.dtype = INVAR_FLOAT32, .rows = N, .cols = D};
        assert_ok(invar_objective_workspace(objective, &shapes, &bytes, &err), &err);
        const double real = (double)taken(objective, &shapes);
        if (!(fabs((double)bytes - real) <= 0.1 * real + 4096))
            fail_msg("%s: %zu bytes foretold, %.0f taken", objectives[k], bytes, real);
        invar_objective_free(objective);
        invar_node_free(node);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_foretold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
