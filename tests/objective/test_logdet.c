/* SPDX-License-Identifier: Apache-2.0 */
/* The two determinants of LogDet: that they are the same, and that the smaller matrix is the one that is factored. */
#include "device.h"

#include <dlfcn.h>
#include <lapacke.h>

static lapack_int factored; /* side of the last matrix */

/* in the place of LAPACKE's own, which it calls */
lapack_int LAPACKE_dpotrf_work(int layout, char part, lapack_int n, double *a, lapack_int stride)
{
    lapack_int (*next)(int, char, lapack_int, double *, lapack_int);

    *(void **)&next = dlsym(RTLD_NEXT, "LAPACKE_dpotrf_work");
    factored = n;
    return next(layout, part, n, a, stride);
}

static struct invar_matrix take(enum invar_dtype dtype, int64_t n, int64_t d)
{
    struct invar_matrix x = {.dtype = dtype, .rows = n, .cols = d, .data = calloc((size_t)(n * d), sizeof(double))};
    assert_non_null(x.data);
    return x;
}

/* nats of z, and their gradient into dz */
static double entropy(const struct invar_matrix *z, const struct invar_matrix *dz)
{
    struct invar_error err = {0};
    const struct invar_term_spec *term = invar_term_find("logdet", &err);
    struct invar_embeddings in = {.views = 1}, gradient = {.views = 1};
    struct invar_term_value value;
    void *options = calloc(1, term->options_size);

    in.by[INVAR_ROLE_Z][0] = *z;
    gradient.by[INVAR_ROLE_Z][0] = *dz;
    invar_scratch_reset(scratch);
    invar_options_default(term->options, options);
    assert_ok(invar_options_set(term->options, options, "beta=10", &err), &err);
    assert_ok(invar_options_set(term->options, options, "divide_by=none", &err), &err);
    const struct invar_term_call call = {
        .device = device, .scratch = scratch, .options = options, .in = &in, .weight = 1, .gradient = &gradient};
    assert_ok(invar_term_evaluate(term, call, &value, &err), &err);
    free(options);
    return value.loss;
}

/* Columns of zeros leave the determinant alone, and bring the same embeddings to the other side. */
static void both_determinants_are_the_same(void **state)
{
    static const int64_t shapes[][2] = {{9, 4}, {40, 24}, {130, 129}};

    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const int64_t n = shapes[s][0], d = shapes[s][1], wide = 2 * n;
        struct invar_matrix z = take(INVAR_FLOAT64, n, d), dz = take(INVAR_FLOAT64, n, d);
        struct invar_matrix padded = take(INVAR_FLOAT64, n, wide), by_padded = take(INVAR_FLOAT64, n, wide);
        struct invar_random random = invar_random_stream(3, INVAR_RANDOM_TEST, 0, s, 0);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < d; j++)
                ((double *)z.data)[i * d + j] = ((double *)padded.data)[i * wide + j] =
                    (double)invar_random_normal(&random) * (double)(1 + j % 5);
        const double by_columns = entropy(&z, &dz);
        assert_int_equal(factored, d);
        const double by_rows = entropy(&padded, &by_padded);
        assert_int_equal(factored, n);
        assert_near(by_rows, by_columns, 1e-12);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < wide; j++)
                assert_near(((double *)by_padded.data)[i * wide + j], j < d ? ((double *)dz.data)[i * d + j] : 0,
                            1e-12);
        free(z.data);
        free(dz.data);
        free(padded.data);
        free(by_padded.data);
    }
}

static void the_smaller_one_is_factored(void **state)
{
    static const int64_t shapes[][2] = {{2, 1}, {2, 2}, {2, 300}, {64, 63}, {64, 64}, {64, 65}, {300, 2}};

    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const int64_t n = shapes[s][0], d = shapes[s][1];
        struct invar_matrix z = take(INVAR_FLOAT32, n, d), dz = take(INVAR_FLOAT32, n, d);
        entropy(&z, &dz);
        assert_int_equal(factored, n < d ? n : d);
        free(z.data);
        free(dz.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_determinants_are_the_same),
        cmocka_unit_test(the_smaller_one_is_factored),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
