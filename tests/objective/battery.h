/* SPDX-License-Identifier: Apache-2.0 */
/* One variant of a term with its inputs, options and gradients in one type. */
#ifndef INVAR_TESTS_BATTERY_H
#define INVAR_TESTS_BATTERY_H

#include "device.h"
#include "matrix.h"

#define SEED 20260117

struct variant {
    const char *term;
    int views;
    const char *options[8];  /* NULL-ended */
    bool stopped;            /* a stop-gradient inside, so that finite differences of the value are not its gradient */
    bool symmetric_in_views; /* any order of the views gives the same value */
    int targets;             /* views that have a target; 0: all */
};

/* terms that draw which samples are compared, by their places */
static inline bool draws_samples(const struct variant *v)
{
    bool found = false;
    for (int i = 0; v->options[i]; i++)
        found = found || strncmp(v->options[i], "contrast_set=", 13) == 0;
    return found;
}

/* terms whose value follows from the key too */
static inline bool draws(const struct variant *v)
{
    return strcmp(v->term, "sigreg") == 0 || strcmp(v->term, "visreg") == 0 || draws_samples(v);
}

struct bench {
    const struct invar_term_spec *term;
    struct invar_scratch *scratch;
    void *options;
    struct invar_embeddings in, gradient;
    int64_t *groups, *labels, *partner;
    double *share;
    char label[256];
};

/* every line that fails should say in which variant */
static inline void describe(struct bench *b, const struct variant *v, int64_t n, enum invar_dtype dtype)
{
    snprintf(b->label, sizeof b->label, "%s, %d views, N = %d, %s:", v->term, v->views, (int)n,
             invar_dtype_name(dtype));
    for (int i = 0; v->options[i]; i++)
        snprintf(b->label + strlen(b->label), sizeof b->label - strlen(b->label), " %s", v->options[i]);
}

static inline int64_t size_of(const struct invar_matrix *x)
{
    return x->data ? x->rows * x->cols : 0;
}

/* normal numbers that float32 holds exactly; h is wider than z */
static inline void fill_inputs(const struct variant *v, struct bench *b, enum invar_dtype dtype, int64_t n, int64_t d)
{
    const unsigned roles = b->term->roles(b->options);

    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < b->in.views; view++) {
            struct invar_random random =
                invar_random_stream(SEED, INVAR_RANDOM_TEST, 0, (uint64_t)role, (uint32_t)view);
            struct invar_random base = invar_random_stream(SEED, INVAR_RANDOM_TEST, 1, (uint64_t)role, 0);
            struct invar_matrix *x = &b->in.by[role][view];
            if (!(roles & INVAR_ROLE_BIT(role)) || (role == INVAR_ROLE_T && v->targets && view >= v->targets) ||
                !invar_term_reads(b->term, b->options, (enum invar_role)role, view))
                continue;
            *x = (struct invar_matrix){.dtype = dtype, .rows = n, .cols = role == INVAR_ROLE_H ? d + 2 : d};
            if (role == INVAR_ROLE_W) /* weight, then bias */
                x->rows = view == 0 ? d : 1;
            if (role == INVAR_ROLE_Z && b->term->width)
                x->cols = b->term->width(b->options, d);
            *x = matrix_make(dtype, x->rows, x->cols);
            b->gradient.by[role][view] = matrix_make(dtype, x->rows, x->cols);
            /* views of one sample share a part, as embeddings do */
            for (int64_t i = 0; i < size_of(x); i++)
                matrix_put(x, i, (double)(invar_random_normal(&base) + 0.7f * invar_random_normal(&random)));
            for (int64_t i = 0; role == INVAR_ROLE_M && i < size_of(x); i++)
                matrix_put(x, i, matrix_get(x, i) > 0);
        }
    b->groups = calloc((size_t)n, sizeof *b->groups);
    for (int64_t i = 0; i < n; i++)
        b->groups[i] = (i * i) % 5 - 2; /* repeated, negative, unsorted */
    b->in.groups = b->groups;
    b->labels = calloc((size_t)n, sizeof *b->labels);
    b->partner = calloc((size_t)n, sizeof *b->partner);
    b->share = calloc((size_t)n, sizeof *b->share);
    for (int64_t i = 0; i < n; i++) {
        b->labels[i] = (i * i) % 5;
        b->partner[i] = (3 * i + 1) % n; /* some their own */
        b->share[i] = (double)(1 + i % 4) / 4;
    }
    b->in.labels = b->labels;
    b->in.partner = b->partner;
    b->in.share = b->share;
}

static inline struct bench open_bench(const struct variant *v, enum invar_dtype dtype, int64_t n, int64_t d)
{
    struct invar_error err = {0};
    struct bench b = {.term = invar_term_find(v->term, &err)};

    assert_non_null(b.term);
    describe(&b, v, n, dtype);
    b.scratch = invar_device_scratch_create(device, &err);
    b.options = calloc(1, b.term->options_size);
    assert_true(b.scratch && b.options);
    invar_options_default(b.term->options, b.options);
    for (int i = 0; v->options[i]; i++)
        assert_ok(invar_options_set(b.term->options, b.options, v->options[i], &err), &err);
    b.in.views = b.gradient.views = v->views;
    b.in.targets = v->targets;
    fill_inputs(v, &b, dtype, n, d);
    return b;
}

static inline void close_bench(struct bench *b)
{
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < INVAR_MAX_VIEWS; view++) {
            invar_device_free(device, b->in.by[role][view].data);
            invar_device_free(device, b->gradient.by[role][view].data);
        }
    free(b->groups);
    free(b->labels);
    free(b->partner);
    free(b->share);
    free(b->options);
    invar_scratch_free(b->scratch);
}

static inline struct invar_term_call call_of(const struct bench *b, double weight, bool with_gradient)
{
    return (struct invar_term_call){.device = device,
                                    .scratch = b->scratch,
                                    .options = b->options,
                                    .in = &b->in,
                                    .weight = weight,
                                    .gradient = with_gradient ? &b->gradient : NULL};
}

static inline struct invar_term_value evaluate(struct bench *b, double weight, bool with_gradient)
{
    struct invar_term_value value = {0};
    struct invar_error err = {0};

    invar_scratch_reset(b->scratch);
    assert_ok(b->term->check(b->options, &b->in, &err), &err);
    assert_ok(invar_term_evaluate(b->term, call_of(b, weight, with_gradient), &value, &err), &err);
    return value;
}

static inline void zero_gradient(struct bench *b)
{
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < b->in.views; view++)
            for (int64_t i = 0; i < size_of(&b->gradient.by[role][view]); i++)
                matrix_put(&b->gradient.by[role][view], i, 0);
}

static inline void expect(const struct bench *b, const char *what, double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance))
        fail_msg("%s: %s is %.12g, expected %.12g within %.3g", b->label, what, got, expected, tolerance);
}

static inline void expect_values(const struct bench *b, const struct invar_term_value *got,
                                 const struct invar_term_value *expected, double tolerance)
{
    expect(b, "loss", got->loss, expected->loss, tolerance * fmax(1, fabs(expected->loss)));
    assert_int_equal(got->count, expected->count);
    for (int k = 0; k < got->count; k++) {
        assert_string_equal(got->part[k].name, expected->part[k].name);
        expect(b, got->part[k].name, got->part[k].value, expected->part[k].value,
               tolerance * fmax(1, fabs(expected->part[k].value)));
    }
}

static inline double norm_of_gradient(const struct bench *b)
{
    double sum = 0;
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < b->in.views; view++)
            for (int64_t i = 0; i < size_of(&b->gradient.by[role][view]); i++)
                sum += pow(matrix_get(&b->gradient.by[role][view], i), 2);
    return sqrt(sum);
}

/* the same inputs in another type, or once more */
static inline struct bench like(const struct bench *b, const struct variant *v, enum invar_dtype dtype)
{
    for (int role = 0;; role++)
        if (b->in.by[role][0].data && !(role == INVAR_ROLE_Z && b->term->width))
            return open_bench(v, dtype, b->in.by[role][0].rows,
                              b->in.by[role][0].cols - (role == INVAR_ROLE_H ? 2 : 0));
}

#endif
