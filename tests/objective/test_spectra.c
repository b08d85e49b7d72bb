/* SPDX-License-Identifier: Apache-2.0 */
/* Measures of spectra, neighbours, likeness and tables where the answer is known. */
#include "device.h"
#include "matrix.h"

#include "invar/measure.h"

#include <math.h>

TEST_COVERS("measure.lidar measure.power_law measure.stable_rank measure.two_nn measure.cka measure.human_normalised "
            "measure.interquartile");

/* (rows, cols) of a function of the place */
static struct invar_matrix make(int64_t rows, int64_t cols, double (*f)(int64_t i, int64_t j))
{
    struct invar_matrix x = matrix_make(INVAR_FLOAT64, rows, cols);

    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            matrix_put(&x, i * cols + j, f(i, j));
    return x;
}

/* +-1 in column i / 2 scaled by 1 / (column + 1): covariance diagonal, eigenvalues as 1 / rank^2 */
static double axes(int64_t i, int64_t j)
{
    return i / 2 == j ? (i % 2 ? 1 : -1) / (double)(j + 1) : 0;
}

static void spectra_of_axes(void **state)
{
    const struct invar_power_law_options all = {.first = 1, .centre = true, .threshold = 1e-12};
    struct invar_matrix x = make(16, 8, axes);
    struct invar_power_law line;
    struct invar_error err = {0};
    double rank, expected = 0;

    (void)state;
    assert_ok(invar_measure_power_law(device, scratch, &x, &all, &line, &err), &err);
    assert_true(fabs(line.alpha - 2) < 1e-10 && line.ranks == 8);
    assert_ok(invar_measure_stable_rank(device, scratch, &x, true, &rank, &err), &err);
    for (int k = 1; k <= 8; k++)
        expected += 1.0 / (k * k);
    assert_true(fabs(rank - expected) < 1e-12);
    x.rows = 2; /* one direction, through which no line goes */
    assert_refused(invar_measure_power_law(device, scratch, &x, &all, &line, &err), &err, INVAR_ERROR_DATA, "rank 1");
    invar_device_free(device, x.data);
}

/* two views of each of 8 samples on the axes, apart in all directions alike */
static double pairs(int64_t i, int64_t j)
{
    return (i / 4 == j ? (i / 2 % 2 ? 1 : -1) : 0) + (i % 2 ? 0.01 : -0.01) * ((i / 2 + j) % 4 == 0);
}

static void lidar_counts_directions(void **state)
{
    struct invar_matrix x = make(16, 4, pairs);
    struct invar_error err = {0};
    double lidar;

    (void)state;
    assert_ok(invar_measure_lidar(device, scratch, &x, 2, 1e-4, 0, NULL, &lidar, &err), &err);
    assert_true(fabs(lidar - 4) < 1e-9);
    assert_refused(invar_measure_lidar(device, scratch, &x, 3, 1e-4, 0, NULL, &lidar, &err), &err, INVAR_ERROR_DATA,
                   "3 views");
    invar_device_free(device, x.data);
}

/* a line in three dimensions, at places that are a quadratic sequence */
static double line(int64_t i, int64_t j)
{
    const double u = fmod((double)i * 0.61803398874989485, 1);
    return u * (double)(j + 1);
}

static void a_line_has_one_dimension(void **state)
{
    struct invar_matrix x = make(40, 3, line);
    struct invar_two_nn found;
    struct invar_error err = {0};

    (void)state;
    assert_ok(invar_measure_two_nn(device, scratch, &x, -1, &found, &err), &err);
    assert_true(found.dimension > 0.5 && found.left_out == 0 && found.used == 40);
    for (int64_t i = 0; i < 120; i++)
        matrix_put(&x, i, 1);
    assert_refused(invar_measure_two_nn(device, scratch, &x, 0.1, &found, &err), &err, INVAR_ERROR_DATA, "equal one");
    invar_device_free(device, x.data);
}

static double turned(int64_t i, int64_t j)
{
    return 3 * axes(i, (j + 3) % 8) + 2;
}

static void likeness_ignores_rotation_scale_and_shift(void **state)
{
    struct invar_matrix x = make(16, 8, axes), y = make(16, 8, turned);
    struct invar_cka found;
    struct invar_error err = {0};

    (void)state;
    for (int unbiased = 0; unbiased < 2; unbiased++) {
        assert_ok(invar_measure_cka(device, scratch, &x, &y, unbiased, &found, &err), &err);
        assert_true(fabs(found.cka - 1) < 1e-12);
    }
    y.rows = 8;
    assert_refused(invar_measure_cka(device, scratch, &x, &y, false, &found, &err), &err, INVAR_ERROR_DATA, "16");
    invar_device_free(device, x.data);
    invar_device_free(device, y.data);
}

static void tables_of_scores(void **state)
{
    const double score[] = {5, 30, 0}, human[] = {10, 10, 10}, random[] = {0, 0, 5}, below = 50;
    const double scores[] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct invar_human_normalised table;
    struct invar_interquartile middle;
    struct invar_error err = {0};
    double percentile, each[3];

    (void)state;
    assert_ok(invar_measure_human_normalised(score, human, random, 3, 100, &below, 1, &percentile, each, &table, &err),
              &err);
    assert_true(table.superhuman == 1 && fabs(table.capped_mean - 50) < 1e-12 && fabs(table.median - 50) < 1e-12 &&
                fabs(percentile - 50) < 1e-12 && fabs(each[2] + 100) < 1e-12);
    assert_ok(invar_measure_interquartile(scores, 4, 2, 0.25, 1, &middle, &err), &err);
    assert_true(fabs(middle.iqm - 3.5) < 1e-12 && fabs(middle.median - 3.5) < 1e-12);
    assert_refused(invar_measure_interquartile(scores, 0, 2, 0.25, 1, &middle, &err), &err, INVAR_ERROR_DATA, "empty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spectra_of_axes),          cmocka_unit_test(lidar_counts_directions),
        cmocka_unit_test(a_line_has_one_dimension), cmocka_unit_test(likeness_ignores_rotation_scale_and_shift),
        cmocka_unit_test(tables_of_scores),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
