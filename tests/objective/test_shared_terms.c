/* SPDX-License-Identifier: Apache-2.0 */
/* Every term by processes that share its products: the value of one process, and of the gradient the rows of own
 * samples, which are all that a process reads. */
#include "variants.h"

#include "shares.h"

#define ROOM 4096

struct outcome {
    struct bench *b;
    struct invar_term_value value;
};

static void evaluate_shared(void *user)
{
    struct outcome *o = user;

    zero_gradient(o->b);
    o->value = evaluate(o->b, 1.5, true);
}

/* Whether row i of a gradient is one of a rank's own samples; parameters of the term are everybody's. */
static bool is_read(int role, int64_t i, const struct invar_dense_ranks *r)
{
    return role == INVAR_ROLE_W || i / (r->samples / r->count) == r->rank;
}

/* The distance of rows that are read, or of those that are not, from the gradient of one process. */
static double apart(const struct bench *b, const struct bench *alone, const struct invar_dense_ranks *r, bool read)
{
    double sum = 0;

    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < b->in.views; view++) {
            const struct invar_matrix *x = &b->gradient.by[role][view], *y = &alone->gradient.by[role][view];
            for (int64_t i = 0; i < size_of(x); i++)
                if (is_read(role, i / x->cols, r) == read)
                    sum += pow(matrix_get(x, i) - matrix_get(y, i), 2);
        }
    return sqrt(sum);
}

/* What was shared at all: gathers, and gradients of which a rank makes no more than its own rows. */
static int gathers, own_alone;

static void check_variant(const struct variant *v, enum invar_dtype dtype, int64_t n, int64_t d, int count)
{
    const double tolerance = dtype == INVAR_FLOAT64 ? 1e-11 : 2e-6;
    struct bench b = open_bench(v, dtype, n, d), alone = open_bench(v, dtype, n, d);
    struct outcome one = {.b = &alone}, o = {.b = &b};
    struct shares s;

    evaluate_shared(&one);
    const double scale = norm_of_gradient(&alone);
    shares_open(&s, count, n, ROOM);
    shares_meet(&s, evaluate_shared, &o);
    const double loss = o.value.loss;
    for (int rank = 0; rank < count; rank++) {
        shares_as(&s, rank, evaluate_shared, &o);
        expect_values(&b, &o.value, &one.value, tolerance);
        expect(&b, "the loss of another rank", o.value.loss, loss, 0);
        expect(&b, "own rows of the gradient", apart(&b, &alone, &s.ranks, true), 0, 5 * tolerance * scale);
    }
    gathers += s.calls;
    own_alone += apart(&b, &alone, &s.ranks, false) > 1e-3 * scale;
    shares_close(&s);
    close_bench(&b);
    close_bench(&alone);
}

static void every_term(void **state)
{
    static const int64_t sizes[][2] = {{64, 32}, {12, 40}, {8, 5}};

    (void)state;
    for (size_t i = 0; i < VARIANT_COUNT; i++)
        for (int k = 0; k < 3; k++)
            for (int count = 2; count <= SHARES_RANKS; count += 2) {
                check_variant(&variants[i], INVAR_FLOAT64, sizes[k][0], sizes[k][1], count);
                check_variant(&variants[i], INVAR_FLOAT32, sizes[k][0], sizes[k][1], count);
            }
}

/* A term that went back to making everything by itself would pass all of the above. */
static void products_are_shared(void **state)
{
    static const struct {
        const char *term;
        bool gathers, own_alone;
    } expected[] = {{"relic", true, true},    {"ntxent", true, true},         {"covariance", true, true},
                    {"vicreg", true, true},   {"orthonormality", true, true}, {"barlow", true, false},
                    {"pairdist", true, true}, {"invariance", false, false}};

    (void)state;
    for (size_t k = 0; k < sizeof expected / sizeof *expected; k++) {
        size_t i = 0;
        while (strcmp(variants[i].term, expected[k].term) != 0)
            i++;
        for (int wide = 0; wide < 2; wide++) {
            gathers = own_alone = 0;
            check_variant(&variants[i], INVAR_FLOAT64, wide ? 12 : 64, wide ? 40 : 32, 2);
            if ((gathers > 0) != expected[k].gathers || (own_alone > 0) != expected[k].own_alone)
                fail_msg("%s: %d gathers; others' rows %s", expected[k].term, gathers, own_alone ? "left" : "made");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_term), cmocka_unit_test(products_are_shared)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
