/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One battery over the registry of terms. A term enters it with a line of options in `variants`; a registered term
 * without one fails the suite. Every variant: value against its reference, gradient by finite differences with the
 * sign, symmetries, collapsed inputs, the smallest batch, weight and accumulation, constants left alone.
 */
#include "variants.h"

#define STEP 1e-5 /* of central differences */

/* ---- the checks ---- */

static void every_term_has_a_variant(void **state)
{
    (void)state;
    for (const struct invar_term_spec *const *term = invar_term_list(); *term; term++) {
        bool found = false;
        for (size_t i = 0; i < VARIANT_COUNT; i++)
            found = found || strcmp(variants[i].term, (*term)->name) == 0;
        if (!found)
            fail_msg("the term %s has no line in the battery's variants: add one", (*term)->name);
        assert_true((*term)->help && (*term)->reference && (*term)->check && (*term)->roles);
    }
}

static void value_is_that_of_the_reference(const struct variant *v, struct bench *b)
{
    struct invar_term_value expected, got = evaluate(b, 1, false);
    assert_true(matrix_reference(b->term, b->options, &b->in, &expected));
    expect_values(b, &got, &expected, 1e-12);
    struct bench narrow = like(b, v, INVAR_FLOAT32);
    got = evaluate(&narrow, 1, true);
    expect_values(&narrow, &got, &expected, 1e-5);
    close_bench(&narrow);
}

static void float32_gradient_is_that_of_float64(const struct variant *v, struct bench *b)
{
    struct bench narrow = like(b, v, INVAR_FLOAT32);
    double apart = 0;
    evaluate(b, 1, true);
    evaluate(&narrow, 1, true);
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < b->in.views; view++)
            for (int64_t i = 0; i < size_of(&b->in.by[role][view]); i++)
                apart +=
                    pow(matrix_get(&b->gradient.by[role][view], i) - matrix_get(&narrow.gradient.by[role][view], i), 2);
    expect(&narrow, "distance from the float64 gradient", sqrt(apart), 0, 1e-5 * norm_of_gradient(b));
    close_bench(&narrow);
}

static void gradient_is_that_of_every_element(const struct variant *v, struct bench *b)
{
    evaluate(b, 1, true);
    const double scale = norm_of_gradient(b);
    for (int role = 0; role < INVAR_ROLE_COUNT && !v->stopped; role++)
        for (int view = 0; view < b->in.views && !invar_role_is_constant((enum invar_role)role); view++) {
            const struct invar_matrix *x = &b->in.by[role][view];
            for (int64_t i = 0; i < size_of(x); i++) {
                const double kept = matrix_get(x, i);
                matrix_put(x, i, kept + STEP);
                const double above = evaluate(b, 1, false).loss;
                matrix_put(x, i, kept - STEP);
                const double below = evaluate(b, 1, false).loss;
                matrix_put(x, i, kept);
                expect(b, "an element of the gradient", matrix_get(&b->gradient.by[role][view], i),
                       (above - below) / (2 * STEP), 1e-7 * scale);
            }
        }
}

static double move(struct bench *b, double step)
{
    double along = 0;

    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < b->in.views && !invar_role_is_constant((enum invar_role)role); view++) {
            struct invar_random random =
                invar_random_stream(SEED, INVAR_RANDOM_TEST, 2, (uint64_t)role, (uint32_t)view);
            for (int64_t i = 0; i < size_of(&b->in.by[role][view]); i++) {
                const double way = (double)invar_random_normal(&random);
                matrix_put(&b->in.by[role][view], i, matrix_get(&b->in.by[role][view], i) + step * way);
                along += way * matrix_get(&b->gradient.by[role][view], i);
            }
        }
    return along;
}

static void gradient_is_that_along_a_direction(const struct variant *v, struct bench *b)
{
    evaluate(b, 1, true);
    const double along = move(b, STEP);
    const double above = evaluate(b, 1, false).loss;
    move(b, -2 * STEP);
    const double below = evaluate(b, 1, false).loss;
    if (!v->stopped)
        expect(b, "the slope along a direction", along, (above - below) / (2 * STEP),
               1e-7 * fmax(norm_of_gradient(b), fabs(along)));
}

static void reorder_views(struct bench *b)
{
    for (int role = 0; role < INVAR_ROLE_W; role++) {
        const struct invar_matrix first = b->in.by[role][0];
        for (int view = 0; view + 1 < b->in.views; view++)
            b->in.by[role][view] = b->in.by[role][view + 1];
        b->in.by[role][b->in.views - 1] = first;
    }
}

static void swap(int64_t *x, int64_t i, int64_t j)
{
    const int64_t kept = x[i];
    x[i] = x[j];
    x[j] = kept;
}

static void reverse_samples(struct bench *b)
{
    for (int role = 0; role < INVAR_ROLE_W; role++)
        for (int view = 0; view < b->in.views; view++) {
            const struct invar_matrix *x = &b->in.by[role][view];
            for (int64_t i = 0; x->data && i < x->rows / 2; i++)
                for (int64_t j = 0; j < x->cols; j++) {
                    const double kept = matrix_get(x, i * x->cols + j);
                    matrix_put(x, i * x->cols + j, matrix_get(x, (x->rows - 1 - i) * x->cols + j));
                    matrix_put(x, (x->rows - 1 - i) * x->cols + j, kept);
                }
        }
    for (int64_t i = 0; i < 3; i++) {
        swap(b->groups, i, 6 - i);
        swap(b->labels, i, 6 - i);
        swap(b->partner, i, 6 - i);
        const double kept = b->share[i];
        b->share[i] = b->share[6 - i];
        b->share[6 - i] = kept;
    }
    for (int64_t i = 0; i < 7; i++)
        b->partner[i] = 6 - b->partner[i];
}

static void order_of_views_and_samples_does_not_matter(const struct variant *v, struct bench *b)
{
    const struct invar_term_value before = evaluate(b, 1, false);
    if (draws_samples(v))
        return;
    reverse_samples(b);
    const struct invar_term_value reversed = evaluate(b, 1, false);
    expect_values(b, &reversed, &before, 1e-12);
    if (v->targets || !v->symmetric_in_views)
        return;
    reorder_views(b);
    const struct invar_term_value turned = evaluate(b, 1, false);
    expect_values(b, &turned, &before, 1e-12);
}

static void expect_finite(struct bench *b)
{
    const struct invar_term_value value = evaluate(b, 1, true);

    expect(b, "finite loss", isfinite(value.loss), 1, 0);
    expect(b, "finite gradient", isfinite(norm_of_gradient(b)), 1, 0);
}

/* all rows equal, of size 1, 0, below what norm() divides by, and very large */
static void collapsed_inputs_stay_finite(const struct variant *v, struct bench *b)
{
    static const double scales[] = {1, 0, 1e-20, 1e15};
    (void)v;
    for (size_t k = 0; k < sizeof scales / sizeof *scales; k++) {
        for (int role = 0; role < INVAR_ROLE_W; role++)
            for (int view = 0; view < b->in.views; view++)
                for (int64_t i = 0; i < size_of(&b->in.by[role][view]); i++)
                    matrix_put(&b->in.by[role][view], i, scales[k] * (1 + (double)(i % b->in.by[role][view].cols)) / 4);
        zero_gradient(b);
        expect_finite(b);
    }
}

static void one_zero_row_stays_finite(const struct variant *v, struct bench *b)
{
    (void)v;
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int64_t j = 0; b->in.by[role][0].data && j < b->in.by[role][0].cols; j++)
            matrix_put(&b->in.by[role][0], 2 * b->in.by[role][0].cols + j, 0);
    expect_finite(b);
}

static void batch_of_two_works_and_of_one_is_refused(const struct variant *v, struct bench *b)
{
    (void)v;
    struct invar_term_value expected, got = evaluate(b, 1, true);
    struct invar_error err = {0};
    assert_true(matrix_reference(b->term, b->options, &b->in, &expected));
    expect_values(b, &got, &expected, 1e-12);
    expect(b, "finite gradient", isfinite(norm_of_gradient(b)), 1, 0);
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < b->in.views; view++)
            if (b->in.by[role][view].data)
                b->in.by[role][view].rows = 1;
    assert_refused(b->term->check(b->options, &b->in, &err), &err, INVAR_ERROR_DATA, "samples");
}

/* what a term draws follows from the key; without a draw it changes no bit */
static void the_key_changes_nothing_else(const struct variant *v, struct bench *b)
{
    const struct invar_term_value first = evaluate(b, 1, true);
    struct bench again = like(b, v, INVAR_FLOAT64);
    struct invar_term_call call = call_of(&again, 1, true);
    struct invar_term_value value = {0};
    struct invar_error err = {0};

    call.key = (struct invar_term_key){77, 5};
    assert_ok(invar_term_evaluate(again.term, call, &value, &err), &err);
    if (draws(v)) {
        assert_true(fabs(value.loss - first.loss) > 1e-9);
        close_bench(&again);
        return;
    }
    expect_values(&again, &value, &first, 0);
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < b->in.views; view++)
            for (int64_t i = 0; i < size_of(&b->gradient.by[role][view]); i++)
                expect(&again, "an element of the gradient", matrix_get(&again.gradient.by[role][view], i),
                       matrix_get(&b->gradient.by[role][view], i), 0);
    close_bench(&again);
}

/* one number that is none, anywhere in any input: a sentence that names the term, never a value */
static void numbers_that_are_none_are_reported(const struct variant *v, struct bench *b)
{
    static const double bad[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < v->views; view++) {
            const struct invar_matrix *x = &b->in.by[role][view];
            if (role == INVAR_ROLE_Q && v->targets == 1 && view == 0)
                continue; /* the only target is its own, so it is compared with none */
            for (int64_t i = 0; i < 3 * size_of(x); i++) {
                struct invar_error err = {0};
                struct invar_term_value value = {0};
                const double kept = matrix_get(x, i / 3);
                matrix_put(x, i / 3, bad[i % 3]);
                invar_scratch_reset(b->scratch);
                if (invar_term_evaluate(b->term, call_of(b, 1, i % 2), &value, &err) &&
                    invar_term_check_finite(b->term, &value, &err))
                    fail_msg("%s: %g in element %d of role %d, view %d gives the loss %g", b->label, bad[i % 3],
                             (int)(i / 3), role, view, value.loss);
                if (err.code != INVAR_ERROR_NUMERIC || !strstr(err.message, v->term))
                    fail_msg("%s: %g gives \"%s\"", b->label, bad[i % 3], err.message);
                matrix_put(x, i / 3, kept);
            }
        }
}

static void inputs_that_do_not_fit_are_refused(const struct variant *v, struct bench *b)
{
    const unsigned roles = b->term->roles(b->options);
    struct invar_error err = {0};
    int read = 0;
    (void)v;
    for (int role = 0; role < INVAR_ROLE_W; role++)
        for (int view = 0; view < b->in.views; view++)
            read += b->in.by[role][view].data != NULL;
    const bool alone = read == 1; /* nothing to compare it with */
    for (int role = 0; role < INVAR_ROLE_W; role++) {
        struct invar_matrix *last = &b->in.by[role][b->in.views - 1];
        while (last > b->in.by[role] && !last->data)
            last--;
        const struct invar_matrix kept = *last;
        if (!(roles & INVAR_ROLE_BIT(role)))
            continue;
        *last = (struct invar_matrix){0};
        assert_refused(b->term->check(b->options, &b->in, &err), &err, INVAR_ERROR_USAGE, "missing");
        *last = kept;
        last->rows--;
        if (!alone)
            assert_refused(b->term->check(b->options, &b->in, &err), &err, INVAR_ERROR_DATA, "rows");
        *last = kept;
        last->cols++;
        if (!alone)
            assert_refused(b->term->check(b->options, &b->in, &err), &err, INVAR_ERROR_DATA, "columns");
        *last = kept;
        last->dtype = INVAR_FLOAT32;
        if (!alone)
            assert_refused(b->term->check(b->options, &b->in, &err), &err, INVAR_ERROR_DATA, "float32");
        *last = kept;
    }
    b->in.groups = b->in.labels = NULL;
    b->in.share = NULL;
    if (roles & INVAR_ROLE_GROUPS)
        assert_refused(b->term->check(b->options, &b->in, &err), &err, INVAR_ERROR_USAGE, "groups");
    if (roles & INVAR_ROLE_LABELS)
        assert_refused(b->term->check(b->options, &b->in, &err), &err, INVAR_ERROR_USAGE, "labels");
    if (roles & INVAR_ROLE_MIXTURE)
        assert_refused(b->term->check(b->options, &b->in, &err), &err, INVAR_ERROR_USAGE, "share");
}

static void weight_scales_and_gradients_accumulate(const struct variant *v, struct bench *b)
{
    struct bench twice = like(b, v, INVAR_FLOAT64);
    const struct invar_term_value once = evaluate(b, 1, true), weighted = evaluate(&twice, -3, true);
    expect_values(b, &weighted, &once, 0); /* the value is unweighted */
    evaluate(&twice, 0.5, true);
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < b->in.views; view++)
            for (int64_t i = 0; i < size_of(&b->in.by[role][view]); i++)
                expect(b, "a gradient of weight -3 and then 0.5", matrix_get(&twice.gradient.by[role][view], i),
                       -2.5 * matrix_get(&b->gradient.by[role][view], i), 1e-12 * norm_of_gradient(b));
    close_bench(&twice);
}

static void constants_and_unread_roles_get_no_gradient(const struct variant *v, struct bench *b)
{
    (void)v;
    double unread[64] = {0};
    const unsigned roles = b->term->roles(b->options);
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        if (!(roles & INVAR_ROLE_BIT(role)))
            b->gradient.by[role][0] =
                (struct invar_matrix){.dtype = INVAR_FLOAT32, .rows = 7, .cols = 5, .data = unread};
    evaluate(b, 1, true);
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        if (!(roles & INVAR_ROLE_BIT(role)))
            b->gradient.by[role][0].data = NULL;
    for (int i = 0; i < 64; i++)
        expect(b, "the gradient of a role that is not read", unread[i], 0, 0);
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; invar_role_is_constant((enum invar_role)role) && view < b->in.views; view++)
            for (int64_t i = 0; i < size_of(&b->gradient.by[role][view]); i++)
                expect(b, "the gradient of a constant", matrix_get(&b->gradient.by[role][view], i), 0, 0);
}

static void a_gradient_may_be_wanted_of_one_view_alone(const struct variant *v, struct bench *b)
{
    struct bench one = like(b, v, INVAR_FLOAT64);
    evaluate(b, 1, true);
    for (int role = 0; role < INVAR_ROLE_COUNT; role++) {
        invar_device_free(device, one.gradient.by[role][0].data);
        one.gradient.by[role][0].data = NULL;
    }
    evaluate(&one, 1, true);
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int64_t i = 0; i < size_of(&one.gradient.by[role][1]); i++)
            expect(b, "the gradient of view 2", matrix_get(&one.gradient.by[role][1], i),
                   matrix_get(&b->gradient.by[role][1], i), 1e-13 * norm_of_gradient(b));
    close_bench(&one);
}

static void the_same_bits_come_out_again(const struct variant *v, struct bench *b)
{
    struct bench again = like(b, v, INVAR_FLOAT32);
    evaluate(&again, 1, true);
    zero_gradient(&again);
    const double first = evaluate(b, 1, true).loss, second = evaluate(&again, 1, true).loss;
    assert_memory_equal(&first, &second, sizeof first);
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < b->in.views; view++) {
            const int64_t count = size_of(&b->in.by[role][view]);
            if (count == 0)
                continue;
            float *expected = test_device_copy(device, b->gradient.by[role][view].data, count);
            assert_true(test_device_holds(device, again.gradient.by[role][view].data, expected,
                                          (size_t)count * sizeof *expected));
            free(expected);
        }
    close_bench(&again);
}

struct check {
    const char *name;
    void (*run)(const struct variant *v, struct bench *b);
    enum invar_dtype dtype;
    int64_t n, d;
};

#define CHECK(run, dtype, n, d)                                                                                        \
    {                                                                                                                  \
#run, run, dtype, n, d                                                                                         \
    }
static struct check checks[] = {
    CHECK(value_is_that_of_the_reference, INVAR_FLOAT64, 7, 5),
    CHECK(value_is_that_of_the_reference, INVAR_FLOAT64, 64, 32),
    CHECK(float32_gradient_is_that_of_float64, INVAR_FLOAT64, 7, 5),
    CHECK(float32_gradient_is_that_of_float64, INVAR_FLOAT64, 64, 32),
    CHECK(gradient_is_that_of_every_element, INVAR_FLOAT64, 7, 5),
    CHECK(gradient_is_that_along_a_direction, INVAR_FLOAT64, 64, 32),
    CHECK(order_of_views_and_samples_does_not_matter, INVAR_FLOAT64, 7, 5),
    CHECK(collapsed_inputs_stay_finite, INVAR_FLOAT64, 7, 5),
    CHECK(collapsed_inputs_stay_finite, INVAR_FLOAT32, 7, 5),
    CHECK(one_zero_row_stays_finite, INVAR_FLOAT32, 7, 5),
    CHECK(batch_of_two_works_and_of_one_is_refused, INVAR_FLOAT64, 2, 5),
    CHECK(inputs_that_do_not_fit_are_refused, INVAR_FLOAT64, 7, 5),
    CHECK(numbers_that_are_none_are_reported, INVAR_FLOAT64, 7, 5),
    CHECK(numbers_that_are_none_are_reported, INVAR_FLOAT32, 5, 9),
    CHECK(weight_scales_and_gradients_accumulate, INVAR_FLOAT64, 7, 5),
    CHECK(constants_and_unread_roles_get_no_gradient, INVAR_FLOAT32, 7, 5),
    CHECK(a_gradient_may_be_wanted_of_one_view_alone, INVAR_FLOAT64, 7, 5),
    CHECK(the_same_bits_come_out_again, INVAR_FLOAT32, 64, 32),
    CHECK(the_key_changes_nothing_else, INVAR_FLOAT64, 7, 5),
    /* fewer samples than dimensions, where some terms go another way */
    CHECK(value_is_that_of_the_reference, INVAR_FLOAT64, 12, 40),
    CHECK(float32_gradient_is_that_of_float64, INVAR_FLOAT64, 12, 40),
    CHECK(gradient_is_that_of_every_element, INVAR_FLOAT64, 7, 28),
    CHECK(order_of_views_and_samples_does_not_matter, INVAR_FLOAT64, 7, 28),
    CHECK(collapsed_inputs_stay_finite, INVAR_FLOAT32, 7, 28),
    CHECK(weight_scales_and_gradients_accumulate, INVAR_FLOAT64, 7, 28),
    CHECK(a_gradient_may_be_wanted_of_one_view_alone, INVAR_FLOAT64, 7, 28),
    CHECK(the_same_bits_come_out_again, INVAR_FLOAT32, 32, 72),
};
#define CHECK_COUNT (sizeof checks / sizeof *checks)

static void run_check(void **state)
{
    const struct check *check = *state;

    for (size_t i = 0; i < VARIANT_COUNT; i++) {
        struct bench b = open_bench(&variants[i], check->dtype, check->n, check->d);
        check->run(&variants[i], &b);
        close_bench(&b);
    }
}

int main(void)
{
    struct CMUnitTest tests[CHECK_COUNT + 1] = {cmocka_unit_test(every_term_has_a_variant)};

    for (size_t i = 0; i < CHECK_COUNT; i++)
        tests[i + 1] = (struct CMUnitTest){.name = checks[i].name, .test_func = run_check, .initial_state = &checks[i]};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
