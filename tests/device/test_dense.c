/* SPDX-License-Identifier: Apache-2.0 */
/* Dense operations against their definition, in both types, in sizes that are no multiple of any block. */
#include "device/dense_tests.h"

/* ---- elements and products ---- */

static void products_with_every_transposition(void **state)
{
    (void)state;
    EACH_TYPE(type)
    for (int way = 0; way < 4; way++) {
        const bool ta = way & 1, tb = way & 2;
        const struct invar_matrix a = ta ? draw(*type, 9, 13, 1) : draw(*type, 13, 9, 1);
        const struct invar_matrix b = tb ? draw(*type, 5, 9, 2) : draw(*type, 9, 5, 2);
        const struct invar_matrix c = draw(*type, 13, 5, 3), before = draw(*type, 13, 5, 3);
        invar_dense_product(device, ta, tb, 0.5, &a, &b, 2, &c);
        for (int64_t i = 0; i < 13; i++)
            for (int64_t j = 0; j < 5; j++) {
                double sum = 2 * get(&before, i, j);
                for (int64_t k = 0; k < 9; k++)
                    sum += 0.5 * (ta ? get(&a, k, i) : get(&a, i, k)) * (tb ? get(&b, j, k) : get(&b, k, j));
                assert_near(get(&c, i, j), sum, tolerance(&c));
            }
        put(&c, 0, 0, (double)NAN); /* keep 0 ignores what was there */
        invar_dense_product(device, ta, tb, 1, &a, &b, 0, &c);
        assert_true(isfinite(get(&c, 0, 0)));
    }
}

static void symmetric_products(void **state)
{
    static const int64_t sides[] = {1, 13, 32, 75, 200};

    (void)state;
    EACH_TYPE(type)
    for (int way = 0; way < 2; way++)
        for (int k = 0; k < 5; k++) {
            const int64_t n = sides[k];
            const struct invar_matrix a = way ? draw(*type, 21, n, 1) : draw(*type, n, 21, 1);
            const struct invar_matrix c = make(*type, n, n), expected = make(*type, n, n);
            invar_dense_gram(device, way, 0.5, &a, &c);
            invar_dense_product(device, way, !way, 0.5, &a, &a, 0, &expected);
            for (int64_t i = 0; i < n; i++)
                for (int64_t j = 0; j < n; j++) {
                    assert_true(get(&c, i, j) == get(&c, j, i));
                    assert_near(get(&c, i, j), get(&expected, i, j), 10 * tolerance(&c));
                }
        }
}

/* half of a product of two, onto what is there; strips and threads too */
static void mirrored_products(void **state)
{
    (void)state;
    EACH_TYPE(type)
    for (int large = 0; large < 2; large++) {
        const int64_t n = large ? 150 : 9, inner = 40;
        const struct invar_matrix a = draw(*type, inner, n, 1), b = draw(*type, inner, n, 2);
        const struct invar_matrix c = make(*type, n, n), full = make(*type, n, n);
        invar_dense_zero(device, &c);
        invar_dense_diagonal_map(device, &c, NULL, 0, 3);
        invar_dense_copy(device, &c, &full);
        invar_dense_product(device, true, false, -0.5, &a, &b, 2, &full);
        invar_dense_mirrored(device, true, -0.5, &a, &b, 2, &c);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = i; j < n; j++) {
                assert_near(get(&c, i, j), get(&full, i, j), 10 * tolerance(&c));
                assert_true(get(&c, j, i) == get(&c, i, j));
            }
    }
}

static void distances_and_their_gradients(void **state)
{
    (void)state;
    EACH_TYPE(type)
    {
        const struct invar_matrix a = draw(*type, 131, 77, 1), b = draw(*type, 131, 77, 2);
        const struct invar_matrix da = draw(*type, 131, 77, 3), db = draw(*type, 131, 77, 4);
        const struct invar_matrix da0 = draw(*type, 131, 77, 3), db0 = draw(*type, 131, 77, 4);
        double sum = 0;
        for (int64_t i = 0; i < 131; i++)
            for (int64_t j = 0; j < 77; j++)
                sum += pow(get(&a, i, j) - get(&b, i, j), 2);
        assert_near(FOUND(invar_dense_distance(device, &a, &b, 3, &da, NULL, 1, slot)), sum, 1e-12);
        assert_near(FOUND(invar_dense_distance(device, &a, &b, 2, NULL, &db, -2, slot)), -2 * sum, 1e-12);
        for (int64_t i = 0; i < 131; i++)
            for (int64_t j = 0; j < 77; j++) {
                const double apart = get(&a, i, j) - get(&b, i, j);
                assert_near(get(&da, i, j), get(&da0, i, j) + 3 * apart, 4 * tolerance(&a));
                assert_near(get(&db, i, j), get(&db0, i, j) - 2 * apart, 4 * tolerance(&a));
            }
    }
}

static void transposes_sums_and_copies(void **state)
{
    (void)state;
    EACH_TYPE(type)
    {
        const struct invar_matrix x = draw(*type, 77, 41, 1), y = draw(*type, 41, 77, 2),
                                  before = draw(*type, 41, 77, 2);
        const struct invar_matrix square = draw(*type, 75, 75, 3), first = draw(*type, 75, 75, 3);
        const struct invar_matrix other = make(*type == INVAR_FLOAT32 ? INVAR_FLOAT64 : INVAR_FLOAT32, 77, 41);
        double dot = 0;

        invar_dense_transpose(device, &x, &y, true);
        assert_near(get(&y, 40, 76), get(&before, 40, 76) + get(&x, 76, 40), tolerance(&x));
        invar_dense_transpose(device, &x, &y, false);
        for (int64_t i = 0; i < 77; i++)
            for (int64_t j = 0; j < 41; j++) {
                assert_true(get(&y, j, i) == get(&x, i, j));
                dot += get(&x, i, j) * get(&x, i, j);
            }
        assert_near(FOUND(invar_dense_dot(device, &x, &x, 0.5, slot)), dot / 2, 1e-13);
        invar_dense_dot(device, &x, &x, 0.5, slot);
        assert_near(read_slot(), dot, 1e-13); /* they add up */
        invar_dense_symmetrise(device, &square);
        for (int64_t i = 0; i < 75; i++)
            for (int64_t j = 0; j < 75; j++)
                assert_near(get(&square, i, j), get(&first, i, j) + get(&first, j, i), tolerance(&x));
        invar_dense_copy(device, &x, &other);
        assert_near(get(&other, 76, 40), get(&x, 76, 40), 1e-7);
        invar_dense_add(device, -2, &before, &y);
        assert_near(get(&y, 3, 5), get(&x, 5, 3) - 2 * get(&before, 3, 5), tolerance(&x));
        invar_dense_zero(device, &y);
        assert_true(FOUND(invar_dense_dot(device, &y, &y, 1, slot)) == 0);
        put(&y, 1, 1, (double)INFINITY);
        assert_true(isnan(FOUND(invar_dense_dot(device, &y, &y, 0, slot)))); /* with factor 0 too */
    }
}

static void scales_and_diagonals(void **state)
{
    (void)state;
    EACH_TYPE(type)
    {
        const struct invar_matrix x = draw(*type, 9, 9, 1), before = draw(*type, 9, 9, 1);
        double values[9], mean = 0, *diagonal = vector(9);

        invar_dense_scale(device, -1.5, &x);
        for (int i = 0; i < 9; i++)
            mean += (values[i] = (double)i) / 9;
        invar_device_upload(device, diagonal, values, sizeof values);
        invar_dense_diagonal_map(device, &x, diagonal, 2, 1);
        for (int64_t i = 0; i < 9; i++)
            for (int64_t j = 0; j < 9; j++)
                assert_near(get(&x, i, j), i == j ? 2 * (double)i + 1 : -1.5 * get(&before, i, j), tolerance(&x));
        invar_dense_diagonal_map(device, &x, NULL, 0.5, -0.5);
        invar_dense_diagonal_add(device, &x, 3, 0.25);
        for (int64_t i = 0; i < 9; i++)
            assert_near(get(&x, i, i), (double)i + 3 + mean / 4, tolerance(&x));
        invar_dense_affine(device, 2, 1, &x);
        assert_near(get(&x, 3, 5), -3 * get(&before, 3, 5) + 1, 2 * tolerance(&x));
        assert_near(get(&x, 8, 8), 2 * (11 + mean / 4) + 1, 40 * tolerance(&x));
    }
}

static void identities_and_factors(void **state)
{
    (void)state;
    EACH_TYPE(type)
    {
        const struct invar_matrix x = draw(*type, 7, 7, 1), before = draw(*type, 7, 7, 1), y = draw(*type, 7, 7, 2);
        double logs = 0, *safe = vector(1);

        for (int64_t i = 0; i < 7; i++)
            put(&y, i, i, (double)i / 2);
        invar_dense_copy(device, &y, &before);
        invar_dense_add_identity(device, &y, 3, safe); /* 3 is the largest: nothing to scale */
        assert_true(at(safe, 0) == 1 && get(&y, 6, 6) == 4 && get(&y, 1, 2) == get(&before, 1, 2));
        for (int64_t i = 0; i < 7; i++)
            logs += log(1 + (double)i / 2);
        assert_near(FOUND(invar_dense_log_diagonal(device, &y, -2, slot)), -2 * logs, 10 * tolerance(&x));
        invar_dense_copy(device, &before, &y);
        invar_dense_add_identity(device, &y, 1.5, safe);
        assert_near(at(safe, 0), 0.5, 1e-15);
        assert_near(get(&y, 6, 6), 2.5, tolerance(&x));
        assert_near(get(&y, 1, 2), get(&before, 1, 2) / 2, tolerance(&x));
        invar_dense_scale_by(device, safe, &y);
        assert_near(get(&y, 6, 6), 1.25, tolerance(&x));
        put(&before, 3, 3, (double)NAN);
        invar_dense_add_identity(device, &before, 3, safe);
        assert_true(isnan(FOUND(invar_dense_log_diagonal(device, &before, 1, slot))));
    }
}

/* ---- rows ---- */

static void norm_and_its_gradient(void **state)
{
    (void)state;
    EACH_TYPE(type)
    {
        const struct invar_matrix x = draw(*type, 6, 5, 1), y = make(*type, 6, 5), dy = draw(*type, 6, 5, 2);
        const struct invar_matrix dx = make(*type, 6, 5);
        double *lengths = vector(6);

        for (int64_t j = 0; j < 5; j++) {
            put(&x, 1, j, 0);
            put(&x, 2, j, 1e-14);
            put(&x, 3, j, get(&x, 3, j) * 1e18); /* its square is beyond float32 */
        }
        invar_dense_zero(device, &dx);
        invar_dense_normalise(device, &x, &y, lengths);
        invar_dense_normalise_backward(device, &y, lengths, &dy, 3, &dx);
        for (int64_t j = 0; j < 5; j++) {
            assert_true(get(&y, 1, j) == 0);
            assert_near(get(&y, 2, j), 1e-2, 1e-6);
            assert_near(get(&dx, 1, j) * 1e-12, 3 * get(&dy, 1, j), 1e-5);
            assert_near(get(&dx, 2, j) * 1e-12, 3 * get(&dy, 2, j), 1e-5);
        }
        double length = 0, along = 0;
        for (int64_t j = 0; j < 5; j++)
            length += get(&y, 3, j) * get(&y, 3, j), along += get(&x, 0, j) * get(&dx, 0, j);
        assert_near(length, 1, 1e-6);
        assert_near(along, 0, 10 * tolerance(&x)); /* scaling a row changes nothing */
    }
}

/* log softmax of row i of x, entry skip left out */
static double log_p(const struct invar_matrix *x, int64_t i, int64_t j, int64_t skip)
{
    double sum = 0;
    for (int64_t k = 0; k < x->cols; k++)
        if (k != skip)
            sum += exp(get(x, i, k) - get(x, i, j));
    return -log(sum);
}

static void contrast_of_rows(void **state)
{
    (void)state;
    EACH_TYPE(type)
    for (int excluded = 0; excluded < 2; excluded++) {
        const struct invar_matrix x = draw(*type, 12, 12, 1), kept = draw(*type, 12, 12, 1);
        const struct invar_dense_contrast how = {.count = 1,
                                                 .shift = 5,
                                                 .exclude_diagonal = excluded,
                                                 .contrast_scale = 0.25,
                                                 .contrast_factor = -1,
                                                 .contrast_slot = slot};
        struct invar_error err = {0};
        double expected = 0;

        clear_slot();
        assert_ok(invar_dense_contrast(device, scratch, &how, &x, &err), &err);
        for (int64_t i = 0; i < 12; i++) {
            const int64_t skip = excluded ? i : -1;
            expected -= log_p(&kept, i, (i + 5) % 12, skip);
            for (int64_t j = 0; j < 12; j++) {
                const double p = j == skip ? 0 : exp(log_p(&kept, i, j, skip));
                assert_near(get(&x, i, j), 0.25 * (p - (j == (i + 5) % 12)), tolerance(&x));
            }
        }
        assert_near(read_slot(), -expected, tolerance(&x));
    }
}

static void near_certain_rows_keep_their_digits(void **state)
{
    (void)state;
    const struct invar_matrix x = make(INVAR_FLOAT32, 1, 3);
    const struct invar_dense_contrast how = {
        .count = 1, .contrast_scale = 1, .contrast_factor = 1, .contrast_slot = slot};

    put(&x, 0, 0, 20), put(&x, 0, 1, 4), put(&x, 0, 2, 3);
    const double contrast = FOUND(invar_dense_contrast(device, scratch, &how, &x, NULL));
    const double others = exp(-16) + exp(-17);
    assert_true(fabs(contrast / log1p(others) - 1) < 1e-6);
    assert_true(fabs(get(&x, 0, 0) / (-others / (1 + others)) - 1) < 1e-6);
}

static void huge_logits_stay_finite(void **state)
{
    (void)state;
    EACH_TYPE(type)
    {
        const struct invar_matrix x[2] = {draw(*type, 4, 4, 1), draw(*type, 4, 4, 2)};
        const struct invar_dense_contrast how = {.count = 2,
                                                 .divergence = INVAR_DIVERGENCE_ALL,
                                                 .contrast_scale = 1,
                                                 .divergence_scale = 1,
                                                 .contrast_factor = 0,
                                                 .divergence_factor = 1,
                                                 .contrast_slot = slot,
                                                 .divergence_slot = slot};
        for (int m = 0; m < 2; m++)
            for (int64_t i = 0; i < 4; i++)
                for (int64_t j = 0; j < 4; j++)
                    put(&x[m], i, j, 1e4 * get(&x[m], i, j));
        const double divergence = FOUND(invar_dense_contrast(device, scratch, &how, x, NULL));
        assert_true(isfinite(divergence) && divergence > 0);
        for (int m = 0; m < 2; m++)
            assert_true(isfinite(FOUND(invar_dense_dot(device, &x[m], &x[m], 1, slot))));
    }
}

/* A weight of the device scales the gradient of the divergence, not that of the contrast, nor what is found. */
static void a_divergence_weighed_by_the_device(void **state)
{
    (void)state;
    const double three = 3;
    double *weight = invar_device_take(scratch, 1, sizeof *weight, NULL);
    invar_device_upload(device, weight, &three, sizeof three);
    EACH_TYPE(type)
    for (int kind = INVAR_DIVERGENCE_ALL; kind <= INVAR_DIVERGENCE_ADJACENT; kind++)
        for (int count = 2; count < 4; count++) {
            struct invar_matrix x[3], y[3];
            struct invar_dense_contrast how = {.count = count,
                                               .divergence = (enum invar_dense_divergence)kind,
                                               .contrast_scale = 0.5,
                                               .divergence_scale = 0.2,
                                               .divergence_weight = weight,
                                               .divergence_factor = 1,
                                               .divergence_slot = slot};
            for (int m = 0; m < count; m++) {
                x[m] = draw(*type, 5, 7, (uint64_t)m + 1);
                y[m] = draw(*type, 5, 7, (uint64_t)m + 1);
            }
            const double found = FOUND(invar_dense_contrast(device, scratch, &how, x, NULL));
            how.divergence_weight = NULL;
            how.divergence_scale = 0.6;
            assert_near(FOUND(invar_dense_contrast(device, scratch, &how, y, NULL)), found, tolerance(&x[0]));
            for (int m = 0; m < count; m++)
                for (int64_t i = 0; i < 5; i++)
                    for (int64_t j = 0; j < 7; j++)
                        assert_near(get(&x[m], i, j), get(&y[m], i, j), tolerance(&x[0]));
        }
}

static void groups_of_columns(void **state)
{
    (void)state;
    const int64_t ids[] = {40, -7, 40, INT64_MIN, -7, INT64_MAX, 40};
    const int64_t expected[] = {0, 1, 0, 2, 1, 3, 0};
    int64_t found[7], groups, *index = invar_device_take(scratch, 7, sizeof *index, NULL);

    assert_true(invar_dense_group_index(device, scratch, ids, 7, index, &groups, NULL));
    assert_int_equal(groups, 4);
    invar_device_download(device, found, index, sizeof found);
    assert_memory_equal(found, expected, sizeof expected);
    EACH_TYPE(type)
    {
        const struct invar_matrix x = draw(*type, 3, 7, 1), kept = draw(*type, 3, 7, 1), grouped = make(*type, 3, 4);
        assert_true(invar_dense_group(device, scratch, &x, index, &grouped, NULL));
        for (int64_t i = 0; i < 3; i++)
            assert_near(exp(get(&grouped, i, 1)), exp(get(&x, i, 1)) + exp(get(&x, i, 4)), 10 * tolerance(&x));
        invar_dense_ungroup(device, &grouped, &grouped, index, &x);
        assert_near(get(&x, 2, 4), get(&grouped, 2, 1) * exp(get(&kept, 2, 4) - get(&grouped, 2, 1)),
                    10 * tolerance(&x));
    }
}

/* ---- columns ---- */

static void columns_far_from_zero(void **state)
{
    (void)state;
    EACH_TYPE(type)
    {
        const struct invar_matrix x = draw(*type, 50, 70, 1), y = make(*type, 50, 70), c = make(*type, 70, 70);
        double *mean = vector(70), *squares = vector(70);
        for (int64_t i = 0; i < 50; i++)
            for (int64_t j = 0; j < 70; j++)
                put(&x, i, j, (double)(1 << 14) + (double)((i * 7 + j) % 16)); /* exact in float32 */
        invar_dense_moments(device, &x, mean, squares);
        invar_dense_centre(device, &x, &y);
        invar_dense_covariance(device, &y, &c);
        for (int64_t j = 0; j < 70; j++) {
            double expected = 0, variance = 0;
            for (int64_t i = 0; i < 50; i++)
                expected += get(&x, i, j) / 50;
            for (int64_t i = 0; i < 50; i++)
                variance += pow(get(&x, i, j) - expected, 2);
            assert_near(at(mean, j), expected, 1e-13);
            assert_near(at(squares, j), variance, 1e-11);
            assert_near(get(&y, 3, j), get(&x, 3, j) - expected, 100 * tolerance(&x));
            assert_near(get(&c, j, j), variance / 49, 10 * tolerance(&x));
        }
    }
}

/* sum of squares over the square of the sum: 1 / 4 of four alike, (9 + 3) / 36 of one that is three times the others */
static void few_that_have_most_are_known(void **state)
{
    static const double alike[] = {2, 2, 2, 2}, one[] = {3, 1, 1, 1}, broken[] = {2, NAN, 2, 2};
    double *values = vector(4);

    (void)state;
    invar_device_upload(device, values, alike, sizeof alike);
    assert_true(invar_dense_even(device, values, 4, 0.25));
    assert_false(invar_dense_even(device, values, 4, 0.2499));
    invar_device_upload(device, values, one, sizeof one);
    assert_true(invar_dense_even(device, values, 4, 0.3334));
    assert_false(invar_dense_even(device, values, 4, 0.3333));
    invar_device_upload(device, values, broken, sizeof broken);
    assert_false(invar_dense_even(device, values, 4, 1));
}

/* sum over all elements of weight * standardised x, whose gradient standardise_backward must give */
static double weighted_standard(const struct invar_matrix *x, const struct invar_matrix *weight, double divisor,
                                double *factor, const struct invar_matrix *y)
{
    double *mean = vector(70);

    invar_dense_moments(device, x, mean, factor);
    invar_dense_rsqrt_of_squares(device, factor, x->cols, divisor, 0.1);
    invar_dense_standardise(device, x, mean, factor, y, false);
    return FOUND(invar_dense_dot(device, y, weight, 1, slot));
}

static void standardised_columns_and_their_gradient(void **state)
{
    (void)state;
    const double step = 1e-5, divisor = 11;
    const struct invar_matrix x = draw(INVAR_FLOAT64, 12, 70, 1), weight = draw(INVAR_FLOAT64, 12, 70, 2);
    const struct invar_matrix y = make(INVAR_FLOAT64, 12, 70), dx = make(INVAR_FLOAT64, 12, 70);
    double *factor = vector(70), sum = 0, square = 0;

    weighted_standard(&x, &weight, divisor, factor, &y);
    for (int64_t i = 0; i < 12; i++) {
        sum += get(&y, i, 69);
        square += pow(get(&y, i, 69) / at(factor, 69), 2);
    }
    assert_near(sum, 0, 1e-13);
    assert_near(at(factor, 69), 1 / sqrt(square / divisor + 0.1), 1e-13);
    invar_dense_zero(device, &dx);
    invar_dense_standardise_backward(device, &y, factor, divisor, &weight, 2, &dx);
    for (int64_t i = 0; i < 12; i++)
        for (int64_t j = 0; j < 70; j += 23) {
            const double kept = get(&x, i, j);
            put(&x, i, j, kept + step);
            const double above = weighted_standard(&x, &weight, divisor, factor, &y);
            put(&x, i, j, kept - step);
            const double below = weighted_standard(&x, &weight, divisor, factor, &y);
            put(&x, i, j, kept);
            assert_near(get(&dx, i, j), (above - below) / step, 1e-8);
        }
}

static void standardise_in_float32(void **state)
{
    (void)state;
    const struct invar_matrix x = draw(INVAR_FLOAT32, 12, 70, 1), weight = draw(INVAR_FLOAT32, 12, 70, 2);
    const struct invar_matrix y = make(INVAR_FLOAT32, 12, 70), dx = make(INVAR_FLOAT32, 12, 70);
    const struct invar_matrix wide[] = {make(INVAR_FLOAT64, 12, 70), make(INVAR_FLOAT64, 12, 70),
                                        make(INVAR_FLOAT64, 12, 70), make(INVAR_FLOAT64, 12, 70)};
    double *factor = vector(70);

    invar_dense_copy(device, &x, &wide[0]);
    invar_dense_copy(device, &weight, &wide[1]);
    invar_dense_zero(device, &dx);
    invar_dense_zero(device, &wide[3]);
    weighted_standard(&wide[0], &wide[1], 12, factor, &wide[2]);
    invar_dense_standardise_backward(device, &wide[2], factor, 12, &wide[1], 1, &wide[3]);
    weighted_standard(&x, &weight, 12, factor, &y);
    invar_dense_standardise_backward(device, &y, factor, 12, &weight, 1, &dx);
    for (int64_t i = 0; i < 12; i++)
        for (int64_t j = 0; j < 70; j++) {
            assert_near(get(&y, i, j), get(&wide[2], i, j), tolerance(&x));
            assert_near(get(&dx, i, j), get(&wide[3], i, j), tolerance(&x));
        }
}

static void hinge_on_deviations(void **state)
{
    (void)state;
    const double squares[] = {0, 10, 40, 90, (double)NAN}; /* deviations 0.1 to 3 */
    double *values = vector(5), found[5];

    invar_device_upload(device, values, squares, sizeof squares);
    const double sum = FOUND(invar_dense_hinge(device, values, 4, 10, 0.01, 2, -3, 5, slot));
    assert_near(sum, 5 * (2 - 0.1 + 2 - sqrt(1.01)), 1e-12);
    invar_device_download(device, found, values, sizeof found);
    assert_near(found[0], -30, 1e-12);
    assert_near(found[1], -3 / sqrt(1.01), 1e-12);
    assert_true(found[2] == 0 && found[3] == 0);
    assert_true(isnan(FOUND(invar_dense_hinge(device, values + 4, 1, 10, 0.01, 2, -3, 5, slot))));
}

/* Means over what is compared, and their gradients by steps of one number. */
static void columns_against_others(void **state)
{
    (void)state;
    EACH_TYPE(type)
    {
        const struct invar_matrix z = draw(*type, 6, 5, 1), x = draw(*type, 6, 2, 2), mask = make(*type, 6, 2);
        const struct invar_matrix dz = make(*type, 6, 5);
        double sum = 0, logits = 0, count = 0;

        invar_dense_zero(device, &dz);
        for (int64_t i = 0; i < 6; i++)
            for (int64_t j = 0; j < 2; j++) {
                const double m = (i + j) % 3 == 0, apart = get(&z, i, 3 + j) - get(&x, i, j);
                put(&mask, i, j, m);
                sum += m * apart * apart;
                count += m;
                logits += log(1 + exp(get(&z, i, 3 + j))) - m * get(&z, i, 3 + j);
            }
        assert_near(FOUND(invar_dense_columns_distance(device, &z, 3, &x, &mask, 2, &dz, 7, slot)), 7 * sum / count,
                    20 * tolerance(&x));
        assert_near(get(&dz, 0, 3), 2 * (get(&z, 0, 3) - get(&x, 0, 0)) / count, 4 * tolerance(&x));
        assert_true(get(&dz, 0, 4) == 0 && get(&dz, 0, 0) == 0);
        assert_near(FOUND(invar_dense_columns_bernoulli(device, &z, 3, &mask, 0, NULL, 1, slot)), logits / 12,
                    20 * tolerance(&x));
        invar_dense_zero(device, &mask); /* nothing to compare */
        assert_true(FOUND(invar_dense_columns_distance(device, &z, 3, &x, &mask, 2, &dz, 7, slot)) == 0);
    }
}

/* ---- distances ---- */

static double pair_logs(const struct invar_matrix *z, double scale)
{
    double sum = 0;

    for (int64_t i = 0; i < z->rows; i++) {
        double mean = 0;
        for (int64_t k = 0; k < z->rows; k++) {
            double apart = 0;
            for (int64_t j = 0; j < z->cols; j++)
                apart += pow(get(z, i, j) - get(z, k, j), 2);
            mean += exp(-scale * apart) / (double)z->rows;
        }
        sum += log(mean);
    }
    return sum;
}

static void kernel_of_pairs_and_its_gradient(void **state)
{
    (void)state;
    const double step = 1e-5, scale = 0.3;
    const struct invar_matrix z = draw(INVAR_FLOAT64, 13, 4, 1), gram = make(INVAR_FLOAT64, 13, 13);
    const struct invar_matrix dz = make(INVAR_FLOAT64, 13, 4);
    struct invar_error err = {0};

    invar_dense_centre(device, &z, &z);
    invar_dense_product(device, false, true, 1, &z, &z, 0, &gram);
    clear_slot();
    assert_ok(invar_dense_pair_kernel(device, scratch, &gram, scale, 3, slot, &err), &err);
    assert_near(read_slot(), 3 * pair_logs(&z, scale), 3e-13);
    invar_dense_product(device, false, false, 1, &gram, &z, 0, &dz);
    for (int64_t i = 0; i < 13; i++)
        for (int64_t j = 0; j < 4; j++) {
            const double kept = get(&z, i, j);
            put(&z, i, j, kept + step);
            const double above = pair_logs(&z, scale);
            put(&z, i, j, kept - step);
            const double below = pair_logs(&z, scale);
            put(&z, i, j, kept);
            assert_near(get(&dz, i, j), (above - below) / (2 * step), 1e-8);
        }
    put(&gram, 4, 4, (double)NAN);
    assert_ok(invar_dense_pair_kernel(device, scratch, &gram, scale, 1, slot, &err), &err);
    assert_true(isnan(read_slot()));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(products_with_every_transposition, reset),
        cmocka_unit_test_setup(symmetric_products, reset),
        cmocka_unit_test_setup(mirrored_products, reset),
        cmocka_unit_test_setup(distances_and_their_gradients, reset),
        cmocka_unit_test_setup(transposes_sums_and_copies, reset),
        cmocka_unit_test_setup(scales_and_diagonals, reset),
        cmocka_unit_test_setup(identities_and_factors, reset),
        cmocka_unit_test_setup(hinge_on_deviations, reset),
        cmocka_unit_test_setup(columns_against_others, reset),
        cmocka_unit_test_setup(norm_and_its_gradient, reset),
        cmocka_unit_test_setup(contrast_of_rows, reset),
        cmocka_unit_test_setup(a_divergence_weighed_by_the_device, reset),
        cmocka_unit_test_setup(near_certain_rows_keep_their_digits, reset),
        cmocka_unit_test_setup(huge_logits_stay_finite, reset),
        cmocka_unit_test_setup(groups_of_columns, reset),
        cmocka_unit_test_setup(columns_far_from_zero, reset),
        cmocka_unit_test_setup(few_that_have_most_are_known, reset),
        cmocka_unit_test_setup(standardised_columns_and_their_gradient, reset),
        cmocka_unit_test_setup(standardise_in_float32, reset),
        cmocka_unit_test_setup(kernel_of_pairs_and_its_gradient, reset),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
