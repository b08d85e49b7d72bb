/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work space of the terms without their matrices: nobody but a term knows what it takes, so it is asked with small
 * matrices of the same proportions, three times. Everything that terms take is N x N, N x d, d x d, N or d.
 */
#include "objective/term.h"

#include "invar/expert/random.h"

#include <math.h>

enum { SIZES = 3, LARGEST = 512, FEWEST_ROWS = 16 };

/* One evaluation: matrices of all roles that are read, on a device of its own. */
struct trial {
    struct invar_device *device;
    struct invar_scratch *scratch, *matrices, *beside; /* of a term, of the trial, and what a term keeps */
    struct invar_embeddings in, gradient;
};

static int64_t scaled(int64_t count, double share)
{
    const int64_t out = llround((double)count * share);

    return out < 2 ? (count < 2 ? count : 2) : out;
}

static bool fill(struct trial *t, int role, int view, struct invar_error *err)
{
    struct invar_matrix *x = &t->in.by[role][view], *dx = &t->gradient.by[role][view];
    struct invar_random random = invar_random_stream(1, INVAR_RANDOM_TEST, (uint64_t)role, (uint64_t)view, 0);

    if (!invar_dense_take(t->matrices, INVAR_FLOAT32, x->rows, x->cols, x, err))
        return false;
    float *host = invar_alloc((size_t)(x->rows * x->cols), sizeof(float), err);
    for (int64_t i = 0; host && i < x->rows * x->cols; i++)
        host[i] = role == INVAR_ROLE_M ? (float)(i % 2) : invar_random_normal(&random);
    if (host)
        invar_device_upload(t->device, x->data, host, (size_t)(x->rows * x->cols) * sizeof(float));
    invar_free(host);
    return host && (invar_role_is_constant((enum invar_role)role) ||
                    invar_dense_take(t->matrices, INVAR_FLOAT32, x->rows, x->cols, dx, err));
}

/* Widths that follow from the input, or are those of z, stay so. */
static void set_shapes(struct trial *t, const struct invar_objective *objective, const struct invar_embeddings *shapes,
                       double share)
{
    const struct invar_matrix *input = &shapes->by[INVAR_ROLE_X][0];
    const int64_t z = shapes->by[INVAR_ROLE_Z][0].cols;
    const bool follows = input->rows > 0 && invar_objective_width(objective, input->cols, NULL) == z;
    const int64_t width =
        follows ? invar_objective_width(objective, scaled(input->cols, share), NULL) : scaled(z, share);

    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < INVAR_MAX_VIEWS; view++) {
            const struct invar_matrix *from = &shapes->by[role][view];
            const bool input_wide = role == INVAR_ROLE_X || role == INVAR_ROLE_M;
            if (from->rows > 0)
                t->in.by[role][view] =
                    (struct invar_matrix){.dtype = INVAR_FLOAT32,
                                          .rows = scaled(from->rows, share),
                                          .cols = !input_wide && from->cols == z ? width : scaled(from->cols, share)};
        }
}

static bool make(struct trial *t, unsigned roles, struct invar_error *err)
{
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int view = 0; view < INVAR_MAX_VIEWS; view++)
            if (t->in.by[role][view].rows > 0 && (roles & INVAR_ROLE_BIT(role)) && !fill(t, role, view, err))
                return false;
    return true;
}

/* What is no matrix: ids that fit any width, everyone mixed with the next one. */
static bool add_beside(struct trial *t, int64_t rows, struct invar_error *err)
{
    int64_t *ids = invar_scratch_take(t->matrices, (size_t)rows, sizeof *ids, err);
    int64_t *partner = invar_scratch_take(t->matrices, (size_t)rows, sizeof *partner, err);
    double *share = invar_scratch_take(t->matrices, (size_t)rows, sizeof *share, err);

    for (int64_t i = 0; ids && partner && share && i < rows; i++) {
        ids[i] = i % 2;
        partner[i] = (i + 1) % rows;
        share[i] = 0.5;
    }
    t->in.groups = t->in.labels = ids;
    t->in.partner = partner;
    t->in.share = share;
    return ids && partner && share;
}

/* The most that a term takes. */
static bool count_bytes(struct trial *t, const struct invar_objective *objective, double *bytes,
                        struct invar_error *err)
{
    struct invar_ledger ledger;

    for (int i = 0; i < invar_objective_count(objective); i++) {
        const struct invar_term_spec *term = invar_objective_term(objective, i);
        const void *options = invar_objective_options(objective, i);
        struct invar_term_sum sum = {.ledger = &ledger};
        struct invar_term_call call = {t->device, t->scratch, options, &t->in, 1, &t->gradient, NULL, {0, 0}, &sum};
        invar_scratch_reset(t->beside);
        if (!invar_ledger_take(t->device, t->beside, INVAR_MAX_PARTS, &ledger, err) ||
            !term_state_take(term, t->beside, &call, err))
            return false;
        invar_scratch_reset(t->scratch);
        if (!term->evaluate(&call, err))
            return false;
        *bytes = fmax(*bytes, (double)invar_scratch_used(t->scratch));
    }
    return true;
}

static bool try_size(const struct invar_objective *objective, const struct invar_embeddings *shapes, double share,
                     double *bytes, struct invar_error *err)
{
    struct trial t = {.in = {.views = shapes->views, .targets = shapes->targets},
                      .gradient = {.views = shapes->views, .targets = shapes->targets}};
    int64_t rows = 2;

    *bytes = 0;
    set_shapes(&t, objective, shapes, share);
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        rows = t.in.by[role][0].rows > rows ? t.in.by[role][0].rows : rows;
    t.device = invar_device_open("cpu", 1, err);
    t.scratch = t.device ? invar_device_scratch_create(t.device, err) : NULL;
    t.matrices = t.scratch ? invar_device_scratch_create(t.device, err) : NULL;
    t.beside = t.matrices ? invar_device_scratch_create(t.device, err) : NULL;
    const bool ok = t.beside && make(&t, invar_objective_roles(objective), err) && add_beside(&t, rows, err) &&
                    count_bytes(&t, objective, bytes, err);
    invar_scratch_free(t.beside);
    invar_scratch_free(t.matrices);
    invar_scratch_free(t.scratch);
    invar_device_close(t.device);
    return ok;
}

/* The parabola through sizes 1, 2 and 4, at size x. */
static double extend(const double *bytes, double x)
{
    const double first = bytes[1] - bytes[0], second = (bytes[2] - bytes[1]) / 2;
    const double square = (second - first) / 3;

    return bytes[0] + first * (x - 1) + square * (x - 1) * (x - 2);
}

bool invar_objective_workspace(const struct invar_objective *objective, const struct invar_embeddings *shapes,
                               size_t *bytes, struct invar_error *err)
{
    double found[SIZES];
    int64_t largest = 1, rows = 1;

    *bytes = 0;
    for (int role = 0; role < INVAR_ROLE_COUNT; role++) {
        const struct invar_matrix *x = &shapes->by[role][0];
        if (x->rows > 0 && (invar_objective_roles(objective) & INVAR_ROLE_BIT(role))) {
            rows = x->rows > rows ? x->rows : rows;
            largest = x->rows > largest ? x->rows : largest;
            largest = x->cols > largest ? x->cols : largest;
        }
    }
    if (largest <= LARGEST) {
        if (!try_size(objective, shapes, 1, found, err))
            return false;
        *bytes = (size_t)found[0];
        return true;
    }
    const double share = fmin(1, fmax(LARGEST / (double)largest, FEWEST_ROWS / (double)rows));
    for (int i = 0; i < SIZES; i++)
        if (!try_size(objective, shapes, share / (double)(1 << (SIZES - 1 - i)), &found[i], err))
            return false;
    *bytes = (size_t)fmax(extend(found, 4 / share), found[SIZES - 1]);
    return true;
}
