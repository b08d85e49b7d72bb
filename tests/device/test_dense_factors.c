/* SPDX-License-Identifier: Apache-2.0 */
/* Factorisations of dense matrices, assignments and distillation. */
#include "device/dense_tests.h"

static void cholesky_factor_and_solution(void **state)
{
    (void)state;
    const int64_t n = 37;
    const struct invar_matrix z = draw(INVAR_FLOAT64, 60, n, 1), a = make(INVAR_FLOAT64, n, n);
    const struct invar_matrix l = make(INVAR_FLOAT64, n, n), back = make(INVAR_FLOAT64, n, n);
    const struct invar_matrix b = draw(INVAR_FLOAT64, n, 3, 2), x = draw(INVAR_FLOAT64, n, 3, 2);
    const struct invar_matrix c = draw(INVAR_FLOAT64, 90, n, 3),
                              y = draw(INVAR_FLOAT64, 90, n, 3); /* for all threads */

    invar_dense_product(device, true, false, 1, &z, &z, 0, &a);
    invar_dense_copy(device, &a, &l);
    invar_dense_cholesky(device, &l);
    assert_true(get(&l, 0, n - 1) == 0 && get(&l, n - 1, 0) != 0);
    invar_dense_product(device, false, true, 1, &l, &l, 0, &back);
    for (int64_t i = 0; i < n; i++)
        assert_near(get(&back, i, n / 2), get(&a, i, n / 2), 1e-12);
    invar_dense_cholesky_solve(device, &l, false, &x);
    invar_dense_product(device, false, false, -1, &a, &x, 1, &b);
    assert_near(FOUND(invar_dense_dot(device, &b, &b, 1, slot)), 0, 1e-20);
    invar_dense_cholesky_solve(device, &l, true, &y);
    invar_dense_product(device, false, false, -1, &y, &a, 1, &c);
    assert_near(FOUND(invar_dense_dot(device, &c, &c, 1, slot)), 0, 1e-18);
}

static void factorisations_refuse_what_has_none(void **state)
{
    (void)state;
    const struct invar_matrix a = draw(INVAR_FLOAT64, 4, 4, 1), x = draw(INVAR_FLOAT64, 4, 6, 2);
    struct invar_error err = {0};
    double values[4];

    for (int bad = 0; bad < 2; bad++) {
        put(&a, 2, 2, bad ? (double)NAN : -5);
        invar_dense_cholesky(device, &a);
        for (int64_t i = 0; i < 4; i++)
            assert_true(isnan(get(&a, i, i)) && isnan(get(&a, 3, 0)));
        invar_dense_zero(device, &a);
        invar_dense_diagonal_map(device, &a, NULL, 0, 1);
    }
    put(&x, 1, 1, (double)INFINITY);
    assert_refused(invar_dense_singular_values(device, scratch, &x, values, &err), &err, INVAR_ERROR_NUMERIC, "NaN");
}

static void singular_values_of_both_shapes(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        const struct invar_matrix x = wide ? make(INVAR_FLOAT64, 3, 20) : make(INVAR_FLOAT64, 20, 3);
        double values[3];
        invar_dense_zero(device, &x);
        put(&x, 0, 0, 2), put(&x, 1, 1, -7), put(&x, 2, 2, 0.5);
        assert_true(invar_dense_singular_values(device, scratch, &x, values, NULL));
        assert_near(values[0], 7, 1e-14);
        assert_near(values[1], 2, 1e-14);
        assert_near(values[2], 0.5, 1e-14);
    }
}

/* by division, of the rows that count */
static void assign_plainly(const struct invar_matrix *x, int64_t rows, double epsilon, int iterations, double *q)
{
    for (int64_t i = 0; i < rows * x->cols; i++)
        q[i] = exp(matrix_get(x, i) / epsilon);
    for (int turn = 0; turn < 2 * iterations; turn++) {
        const bool by_rows = turn % 2 == 1;
        const int64_t outer = by_rows ? rows : x->cols, inner = by_rows ? x->cols : rows;
        for (int64_t a = 0; a < outer; a++) {
            double sum = 0;
            for (int64_t b = 0; b < inner; b++)
                sum += q[by_rows ? a * x->cols + b : b * x->cols + a];
            for (int64_t b = 0; b < inner; b++)
                q[by_rows ? a * x->cols + b : b * x->cols + a] /= sum;
        }
    }
}

/* near scores by factors, far ones by logarithms; a queue that is not full does not count */
static void balanced_assignments(void **state)
{
    (void)state;
    enum { ROWS = 40, BATCH = 30, COLS = 70 };
    static double q[ROWS * COLS];
    struct invar_error err = {0};

    EACH_TYPE(type)
    for (int full = 0; full < 2; full++)
        for (int far = 0; far < 2; far++) {
            const struct invar_matrix x = draw(*type, ROWS, COLS, 1), p = make(*type, BATCH, COLS);
            float place[2] = {3, full ? ROWS - BATCH : 4}, *kept = invar_device_take(scratch, 2, sizeof *kept, &err);
            invar_device_upload(device, kept, place, sizeof place);
            if (far)
                for (int64_t i = 0; i < COLS; i++)
                    put(&x, 5, i, get(&x, 5, i) + 160);
            assign_plainly(&x, full ? ROWS : BATCH, 0.25, 3, q);
            assert_ok(invar_dense_sinkhorn(device, scratch, 0.25, 3, &x, ROWS - BATCH, kept, &p, &err), &err);
            for (int64_t i = 0; i < BATCH * COLS; i++)
                assert_near(matrix_get(&p, i), q[i], tolerance(&p));
            if (far) { /* too far for any exponential */
                for (int64_t i = 0; i < COLS; i++)
                    put(&x, 5, i, get(&x, 5, i) + 4096);
                assert_ok(invar_dense_sinkhorn(device, scratch, 0.25, 3, &x, ROWS - BATCH, kept, &p, &err), &err);
                double sum = 0;
                for (int64_t j = 0; j < COLS; j++)
                    sum += get(&p, 5, j);
                assert_near(sum, 1, 100 * tolerance(&p));
                put(&x, 5, 5, (double)NAN);
                assert_ok(invar_dense_sinkhorn(device, scratch, 0.25, 3, &x, ROWS - BATCH, kept, &p, &err), &err);
                assert_true(isnan(get(&p, 0, 0)));
            }
        }
}

/* ---- distillation ---- */

enum { PUPILS = 37, SCORES = 21, PUPIL_VIEWS = 3 };

/* log softmax of row i of (x - centre) / tau at column k */
static double log_p(const struct invar_matrix *x, const double *centre, int64_t i, int64_t k, double tau)
{
    double sum = 0;

    for (int64_t j = 0; j < x->cols; j++)
        sum += exp((get(x, i, j) - centre[j] - get(x, i, k) + centre[k]) / tau);
    return -log(sum);
}

/* of the losses, the entropies and the gradient of view b by its score k of row i */
static void distil_plainly(const struct invar_dense_distil *how, const double *centre, double *cross, double *entropy,
                           double gradient[PUPIL_VIEWS][PUPILS][SCORES])
{
    static const double none[SCORES];

    memset(gradient, 0, sizeof(double) * PUPIL_VIEWS * PUPILS * SCORES);
    *cross = *entropy = 0;
    for (int a = 0; a < how->targets; a++)
        for (int64_t i = 0; i < PUPILS; i++)
            for (int64_t k = 0; k < SCORES; k++) {
                const double own = log_p(&how->t[a], centre, i, k, 1 / how->sharpen_t);
                *entropy -= exp(own) * own;
                for (int b = 0; b < how->views; b++) {
                    const double theirs = a == b ? 0 : log_p(&how->q[b], none, i, k, 1 / how->sharpen_q);
                    *cross -= exp(own) * theirs;
                    gradient[b][i][k] += a == b ? 0 : how->sharpen_q * (exp(theirs) - exp(own));
                }
            }
}

static void expect_distilled(enum invar_dtype type, int targets)
{
    static double gradient[PUPIL_VIEWS][PUPILS][SCORES];
    struct invar_error err = {0};
    struct invar_matrix t[PUPIL_VIEWS], q[PUPIL_VIEWS], dq[PUPIL_VIEWS];
    double centre[SCORES], cross, entropy, *kept = vector(SCORES), *mean = vector(SCORES);

    for (int v = 0; v < PUPIL_VIEWS; v++) {
        t[v] = draw(type, PUPILS, SCORES, (uint64_t)v);
        q[v] = draw(type, PUPILS, SCORES, (uint64_t)v + 10);
        dq[v] = draw(type, PUPILS, SCORES, 20);
    }
    for (int64_t j = 0; j < SCORES; j++)
        centre[j] = 0.1 * (double)j;
    invar_device_upload(device, kept, centre, sizeof centre);
    const struct invar_matrix before = draw(type, PUPILS, SCORES, 20), none[PUPIL_VIEWS] = {{0}};
    struct invar_dense_distil how = {targets, PUPIL_VIEWS, t, q, none, kept, mean, 5, 2, 3, 0, slot, 1, slot};
    distil_plainly(&how, centre, &cross, &entropy, gradient);
    assert_near(FOUND(invar_dense_distil(device, scratch, &how, &err)), entropy, tolerance(t));
    how.factor = 2;
    how.entropy_factor = 0;
    how.dq = dq;
    assert_near(FOUND(invar_dense_distil(device, scratch, &how, &err)), 2 * cross, tolerance(t));
    for (int64_t i = 0; i < PUPILS; i++)
        for (int64_t k = 0; k < SCORES; k++)
            for (int b = 0; b < PUPIL_VIEWS; b++)
                assert_near(get(&dq[b], i, k), get(&before, i, k) + 3 * gradient[b][i][k], 10 * tolerance(t));
    for (int64_t k = 0; k < SCORES; k++) {
        double sum = 0;
        for (int a = 0; a < targets; a++)
            for (int64_t i = 0; i < PUPILS; i++)
                sum += get(&t[a], i, k);
        assert_near(at(mean, k), sum / (PUPILS * targets), 1e-13);
    }
    put(&t[0], 3, 4, (double)NAN);
    assert_true(isnan(FOUND(invar_dense_distil(device, scratch, &how, &err))));
}

/* one target, which leaves its own view alone; two; as many as views */
static void online_scores_against_a_teacher(void **state)
{
    (void)state;
    EACH_TYPE(type)
    for (int targets = 1; targets <= PUPIL_VIEWS; targets++)
        expect_distilled(*type, targets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(cholesky_factor_and_solution, reset),
        cmocka_unit_test_setup(factorisations_refuse_what_has_none, reset),
        cmocka_unit_test_setup(singular_values_of_both_shapes, reset),
        cmocka_unit_test_setup(balanced_assignments, reset),
        cmocka_unit_test_setup(online_scores_against_a_teacher, reset),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
