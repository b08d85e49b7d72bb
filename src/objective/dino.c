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

static bool dino_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct dino_options *o = call->options;
    struct invar_device *device = call->device;
    const struct invar_matrix *q = call->in->by[INVAR_ROLE_Q], *t = call->in->by[INVAR_ROLE_T];
    const int views = call->in->views, targets = term_targets(call->in);
    const struct invar_matrix kept = {INVAR_FLOAT32, 1, q[0].cols, call->state};
    const double rows = (double)q[0].rows, share = 1 / (rows * targets * (views - 1));
    struct invar_matrix centre, next, wanted[INVAR_MAX_VIEWS] = {{0}};

    if (!term_vector(call, q[0].cols, &centre, err) || !term_vector(call, q[0].cols, &next, err))
        return false;
    for (int b = 0; b < views; b++)
        if (term_wanted(call->gradient, INVAR_ROLE_Q, b))
            wanted[b] = *term_wanted(call->gradient, INVAR_ROLE_Q, b);
    invar_dense_copy(device, &kept, &centre);
    const struct invar_dense_distil how = {
        .targets = targets,
        .views = views,
        .t = t,
        .q = q,
        .dq = wanted,
        .centre = centre.data,
        .mean = next.data,
        .sharpen_t = 1 / o->tau_teacher,
        .sharpen_q = 1 / o->tau_student,
        .scale = call->weight * share,
        .factor = share,
        .slot = invar_term_part(call->sum, NULL, 1),
        .entropy_factor = 1 / (rows * targets),
        .entropy = invar_term_part(call->sum, "teacher_entropy", 0),
    };
    if (!invar_dense_distil(device, call->scratch, &how, err))
        return false;
    invar_dense_scale(device, 1 - o->centre_momentum, &next);
    invar_dense_add(device, o->centre_momentum, &centre, &next);
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
