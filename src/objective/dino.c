/* SPDX-License-Identifier: Apache-2.0 */
/* DINO [DI1], [DI2]: online scores of prototypes against sharpened targets, less their running centre. */
#include "objective/wide.h"

#include <math.h>

struct dino_options {
    double tau_student, tau_teacher, centre_momentum;
};

#define AT(field) offsetof(struct dino_options, field)
static const struct invar_option dino_table[] = {
    {"tau_student", INVAR_OPTION_REAL, AT(tau_student), "0.1", 1e-4, 1e4, NULL, "temperature of online scores"},
    {"tau_teacher", INVAR_OPTION_REAL, AT(tau_teacher), "0.04", 1e-4, 1e4, NULL, "temperature of targets"},
    {"centre_momentum", INVAR_OPTION_REAL, AT(centre_momentum), "0.9", 0, 1, NULL, "share of the past in the centre"},
    {0},
};

static unsigned dino_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Q) | INVAR_ROLE_BIT(INVAR_ROLE_T);
}

static bool dino_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    if (in->views < 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "dino needs two views of every sample or more, not %d: set views.count (or give q1 q2 "
                               "t1 t2)",
                               in->views);
    return term_check_shapes(&invar_term_dino, in, dino_roles(options), 2, err);
}

static int64_t dino_state_size(const void *options, const struct invar_embeddings *shapes)
{
    (void)options;
    return shapes->by[INVAR_ROLE_Q][0].cols;
}

/* p of a target view, and its entropy; next += its share of the new centre */
static bool take_target(const struct invar_term_call *call, int view, const struct invar_matrix *centre,
                        const struct invar_matrix *inverse, const struct invar_matrix *next, double *entropy,
                        struct invar_matrix *p, struct invar_error *err)
{
    const struct dino_options *o = call->options;
    struct invar_device *device = call->device;
    const struct invar_matrix *t = &call->in->by[INVAR_ROLE_T][view];
    const double targets = term_targets(call->in);
    struct invar_matrix scores, mean, squares;

    if (!invar_dense_take(call->scratch, t->dtype, t->rows, t->cols, &scores, err) ||
        !invar_dense_take(call->scratch, t->dtype, t->rows, t->cols, p, err) ||
        !term_vector(call, t->cols, &mean, err) || !term_vector(call, t->cols, &squares, err))
        return false;
    invar_dense_standardise(device, t, centre->data, inverse->data, &scores, false);
    invar_dense_log_softmax(device, &scores, p);
    invar_dense_dot(device, &scores, p, -1 / (targets * (double)t->rows), entropy);
    invar_dense_moments(device, t, mean.data, squares.data);
    invar_dense_add(device, (1 - o->centre_momentum) / targets, &mean, next);
    return true;
}

/* one online view against all targets but its own: their sum is one target, as the cross entropy is linear in it */
static bool add_online(const struct invar_term_call *call, int view, const struct invar_matrix *p, double share,
                       double *slot, struct invar_error *err)
{
    const struct dino_options *o = call->options;
    struct invar_device *device = call->device;
    const struct invar_matrix *q = &call->in->by[INVAR_ROLE_Q][view];
    const struct invar_matrix *wanted = term_wanted(call->gradient, INVAR_ROLE_Q, view);
    struct invar_matrix logits, targets;

    if (!invar_dense_take(call->scratch, q->dtype, q->rows, q->cols, &logits, err) ||
        !invar_dense_take(call->scratch, q->dtype, q->rows, q->cols, &targets, err))
        return false;
    const struct invar_dense_soft how = {
        .targets = &targets, .scale = call->weight * share, .factor = share, .slot = slot};
    invar_dense_zero(device, &targets);
    for (int a = 0; a < term_targets(call->in); a++)
        if (a != view)
            invar_dense_add(device, 1, &p[a], &targets);
    invar_dense_copy(device, q, &logits);
    invar_dense_scale(device, 1 / o->tau_student, &logits);
    if (!invar_dense_soft_contrast(device, call->scratch, &how, &logits, err))
        return false;
    if (wanted)
        invar_dense_add(device, 1 / o->tau_student, &logits, wanted);
    return true;
}

static bool dino_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct dino_options *o = call->options;
    struct invar_device *device = call->device;
    const int views = call->in->views, targets = term_targets(call->in);
    const int64_t k = call->in->by[INVAR_ROLE_Q][0].cols;
    const struct invar_matrix kept = {INVAR_FLOAT32, 1, k, call->state};
    const double share = 1 / ((double)call->in->by[INVAR_ROLE_Q][0].rows * targets * (views - 1));
    double *loss = invar_term_part(call->sum, NULL, 1), *entropy = invar_term_part(call->sum, "teacher_entropy", 0);
    struct invar_matrix centre, inverse, next, p[INVAR_MAX_VIEWS];

    if (!term_vector(call, k, &centre, err) || !term_vector(call, k, &inverse, err) ||
        !term_vector(call, k, &next, err))
        return false;
    invar_dense_copy(device, &kept, &centre);
    invar_dense_affine(device, 1, 1 / o->tau_teacher, &inverse);
    invar_dense_add(device, o->centre_momentum, &centre, &next);
    for (int a = 0; a < targets; a++)
        if (!take_target(call, a, &centre, &inverse, &next, entropy, &p[a], err))
            return false;
    for (int b = 0; b < views; b++)
        if ((targets > 1 || b > 0) && !add_online(call, b, p, share, loss, err))
            return false;
    invar_dense_copy(device, &next, &kept);
    return true;
}

static double reference_log_p(const struct invar_matrix *x, int64_t i, int64_t k, double tau)
{
    double sum = 0;

    for (int64_t j = 0; j < x->cols; j++)
        sum += exp((reference_at(x, i, j) - reference_at(x, i, k)) / tau);
    return -log(sum);
}

/* of the first step, whose centre is 0 */
static bool dino_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct dino_options *o = options;
    const int targets = term_targets(in);
    const double n = (double)in->by[INVAR_ROLE_Q][0].rows;
    double loss = 0, entropy = 0;

    for (int a = 0; a < targets; a++)
        for (int64_t i = 0; i < in->by[INVAR_ROLE_Q][0].rows; i++)
            for (int64_t k = 0; k < in->by[INVAR_ROLE_Q][0].cols; k++) {
                const double log_p = reference_log_p(&in->by[INVAR_ROLE_T][a], i, k, o->tau_teacher);
                entropy -= exp(log_p) * log_p / (n * targets);
                for (int b = 0; b < in->views; b++)
                    if (b != a)
                        loss -= exp(log_p) * reference_log_p(&in->by[INVAR_ROLE_Q][b], i, k, o->tau_student) /
                                (n * targets * (in->views - 1));
            }
    *out = (struct invar_term_value){.loss = loss};
    reference_part(out, "teacher_entropy", entropy);
    return true;
}

const struct invar_term_spec invar_term_dino = {
    .name = "dino",
    .help = "scores of prototypes against centred, sharpened targets [DI1]",
    .options = dino_table,
    .options_size = sizeof(struct dino_options),
    .roles = dino_roles,
    .check = dino_check,
    .evaluate = dino_evaluate,
    .state_size = dino_state_size,
    .reference = dino_reference,
};
