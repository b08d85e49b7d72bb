/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PairDist entropy [I4] of every view: a mixture of N equal Gaussians around the embeddings, with bounds of its
 * entropy from the distances between them. Distances come from one product of the centred embeddings in float64, where
 * the difference of large products is exact enough to be exponentiated. The gradient is a weighted sum of differences
 * z_i - z_j: its product is made in the type of the embeddings, whose own rounding moves those differences as much.
 */
#include "objective/entropy.h"
#include "objective/sums.h"

#include <math.h>

#define AT(field) offsetof(struct invar_pairdist_options, field)
static const struct invar_option pairdist_table[] = {
    {"distance", INVAR_OPTION_CHOICE, AT(distance), "kl", 0, 0, INVAR_CHOICES(INVAR_ENTROPY_DISTANCES),
     "kl: an upper bound of the mixture's entropy; bhattacharyya, chernoff: lower bounds"},
    {"sigma", INVAR_OPTION_REAL, AT(sigma), "1", 1e-9, 1e9, NULL,
     "deviation of every Gaussian, in units of z; with normalise a root of 0.2 works"},
    {"chernoff_alpha", INVAR_OPTION_REAL, AT(chernoff_alpha), "0.5", 1e-9, 1 - 1e-9, NULL,
     "of the Chernoff distance; 0.5 is Bhattacharyya's"},
    {"divide_by", INVAR_OPTION_CHOICE, AT(divide_by), "none", 0, 0, INVAR_CHOICES(INVAR_ENTROPY_DIVIDE),
     "of the loss; none: nats"},
    {"normalise", INVAR_OPTION_BOOL, AT(normalise), "false", 0, 0, NULL,
     "norm() of z first, so that a fixed sigma keeps its meaning"},
    INVAR_RENAMED("normalize", "normalise"),
    {"over_views", INVAR_OPTION_CHOICE, AT(over_views), "sum", 0, 0, INVAR_CHOICES(INVAR_OVER_VIEWS),
     "value and parts: sum as in [I2]"},
    {0},
};

/* D = scale |z_i - z_j|^2 */
static double distance_scale(const struct invar_pairdist_options *o)
{
    const double inverse = 1 / (2 * o->sigma * o->sigma);

    if (o->distance == INVAR_ENTROPY_BHATTACHARYYA)
        return inverse / 4;
    return o->distance == INVAR_ENTROPY_CHERNOFF ? o->chernoff_alpha * (1 - o->chernoff_alpha) * inverse : inverse;
}

static unsigned pairdist_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool pairdist_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    return term_check_views(&invar_term_pairdist, in, pairdist_roles(options), err);
}

static double loss_divisor(const struct invar_pairdist_options *o, int64_t d)
{
    return o->divide_by == INVAR_ENTROPY_DIVIDE_D ? (double)d : 1;
}

/* H(Z|C) of all views */
static double conditional_entropy(const struct invar_pairdist_options *o, int views, int64_t d)
{
    const double e = exp(1), pi = acos(-1);

    return term_over_views(o->over_views, views) * views * (double)d / 2 * log(2 * pi * e * o->sigma * o->sigma);
}

/* factors and product of the gradient; narrow: float32 copies of what are the float64 matrices themselves otherwise */
struct gradient_room {
    bool narrow;
    struct invar_matrix weights, centred, by_centred;
};

static bool take_gradient_room(struct invar_scratch *scratch, const struct invar_matrix *weights,
                               const struct invar_matrix *centred, enum invar_dtype dtype, struct gradient_room *back,
                               struct invar_error *err)
{
    *back = (struct gradient_room){.narrow = dtype != INVAR_FLOAT64, .weights = *weights, .centred = *centred};
    return (!back->narrow || (invar_dense_take(scratch, dtype, weights->rows, weights->cols, &back->weights, err) &&
                              invar_dense_take(scratch, dtype, centred->rows, centred->cols, &back->centred, err))) &&
           invar_dense_take(scratch, dtype, centred->rows, centred->cols, &back->by_centred, err);
}

static bool pairdist_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct invar_pairdist_options *o = call->options;
    const struct invar_matrix *z = call->in->by[INVAR_ROLE_Z];
    struct invar_device *device = call->device;
    struct invar_scratch *scratch = call->scratch;
    const int views = call->in->views;
    const int64_t n = z[0].rows, d = z[0].cols;
    const double per_view = term_over_views(o->over_views, views), share = 1 / loss_divisor(o, d);
    const double conditional = conditional_entropy(o, views, d);
    double *entropy = invar_ledger_slot(call->sum->ledger); /* of all views, without H(Z|C) */
    struct invar_entropy_room room;
    struct gradient_room back;
    struct invar_matrix gram;

    invar_term_part_of(call->sum, "entropy", entropy, 1, conditional, 0);
    invar_term_part_of(call->sum, "entropy_loss", entropy, share, 0, 1);
    invar_term_part_of(call->sum, "conditional_entropy", NULL, 0, conditional, 0);
    if (!entropy_take(scratch, &z[0], o->normalise, call->gradient != NULL, &room, err) ||
        !invar_dense_take(scratch, INVAR_FLOAT64, n, n, &gram, err) ||
        (call->gradient && !take_gradient_room(scratch, &gram, &room.centred, z[0].dtype, &back, err)))
        return false;
    for (int v = 0; v < views; v++) {
        const struct invar_matrix *wanted = term_wanted(call->gradient, INVAR_ROLE_Z, v);
        entropy_load(device, &room, &z[v]);
        invar_dense_gram(device, false, 1, &room.centred, &gram);
        if (!invar_dense_pair_kernel(device, scratch, &gram, distance_scale(o), -per_view / (double)n, entropy, err))
            return false;
        if (!wanted)
            continue;
        if (back.narrow) {
            invar_dense_copy(device, &gram, &back.weights);
            invar_dense_copy(device, &room.centred, &back.centred);
        }
        invar_dense_product_own(device, false, false, -1 / (double)n, &back.weights, &back.centred, 0,
                                &back.by_centred);
        entropy_store(device, &room, call->weight * per_view * share, &back.by_centred, wanted);
    }
    return true;
}

static double reference_distance(const struct invar_pairdist_options *o, const struct invar_matrix *z, int64_t i,
                                 int64_t k)
{
    double sum = 0;

    for (int64_t j = 0; j < z->cols; j++)
        sum += pow(reference_at(z, i, j) / (o->normalise ? reference_length(z, i) : 1) -
                       reference_at(z, k, j) / (o->normalise ? reference_length(z, k) : 1),
                   2);
    return distance_scale(o) * sum;
}

static bool pairdist_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct invar_pairdist_options *o = options;
    const int64_t n = in->by[INVAR_ROLE_Z][0].rows;
    double sum = 0;

    for (int v = 0; v < in->views; v++)
        for (int64_t i = 0; i < n; i++) {
            double mean = 0;
            for (int64_t k = 0; k < n; k++)
                mean += exp(-reference_distance(o, &in->by[INVAR_ROLE_Z][v], i, k)) / (double)n;
            sum -= log(mean) / (double)n;
        }
    const int64_t d = in->by[INVAR_ROLE_Z][0].cols;
    const double conditional = conditional_entropy(o, in->views, d);
    sum *= term_over_views(o->over_views, in->views);
    *out = (struct invar_term_value){.loss = sum / loss_divisor(o, d)};
    reference_part(out, "entropy", sum + conditional);
    reference_part(out, "entropy_loss", out->loss);
    reference_part(out, "conditional_entropy", conditional);
    return true;
}

const struct invar_term_spec invar_term_pairdist = {
    .name = "pairdist",
    .help = "PairDist entropy of every view [I4]; a recipe raises it with a negative weight",
    .options = pairdist_table,
    .options_size = sizeof(struct invar_pairdist_options),
    .roles = pairdist_roles,
    .check = pairdist_check,
    .evaluate = pairdist_evaluate,
    .reference = pairdist_reference,
};
