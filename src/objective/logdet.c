/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The LogDet entropy [I3], (1/2) log det(I + beta C(Z)) of every view, on the smaller of the d x d covariance and the
 * N x N Gram matrix, which have the same determinant. In float64: in float32 the rounding of a large eigenvalue
 * would hide I.
 */
#include "objective/entropy.h"
#include "objective/sums.h"

#include <float.h>
#include <math.h>

#define AT(field) offsetof(struct invar_logdet_options, field)
static const struct invar_option logdet_table[] = {
    {"beta", INVAR_OPTION_REAL, AT(beta), "1", 1e-9, 1e9, NULL,
     "factor of C, the inverse of a noise variance; with a share r = beta * weight / weight of the invariance below 2 "
     "embeddings tend to collapse"},
    {"divide_by", INVAR_OPTION_CHOICE, AT(divide_by), "d", 0, 0, INVAR_CHOICES(INVAR_ENTROPY_DIVIDE),
     "d: the loss does not grow with the width of z; none: the measurement in nats"},
    {"normalise", INVAR_OPTION_BOOL, AT(normalise), "false", 0, 0, NULL,
     "norm() of z first; true beside SimCLR or BYOL, whose own terms do so"},
    INVAR_RENAMED("normalize", "normalise"),
    {"over_views", INVAR_OPTION_CHOICE, AT(over_views), "sum", 0, 0, INVAR_CHOICES(INVAR_OVER_VIEWS),
     "value and parts: sum as in [I2]"},
    {0},
};

static unsigned logdet_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool logdet_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    return invar_term_check_views(&invar_term_logdet, in, logdet_roles(options), err);
}

/* room for one view */
struct work {
    struct invar_entropy_room room;
    struct invar_matrix c; /* the smaller of beta times covariance and Gram matrix, then I + that, then its factor */
    double *safe;          /* device: 1, or what embeddings that have run away are scaled by */
    double *logs;          /* slot */
};

/*
 * beta C may be so large that rounding could hide I and the factorisation fail. Cholesky succeeds for a matrix of
 * diagonal up to t, smallest eigenvalue 1 and entries off by inner * epsilon relative to the diagonal while
 * n (n + inner) epsilon t < 1 (Demmel 1989). Even at 4096 x 8192 that is any t below 8e7: only embeddings that have run
 * away are treated so.
 */
static double largest_diagonal(int64_t n, int64_t inner)
{
    return 1 / ((double)n * (double)(n + inner + 2) * DBL_EPSILON);
}

static bool take_work(const struct invar_term_call *call, struct work *w, struct invar_error *err)
{
    const struct invar_logdet_options *o = call->options;
    const struct invar_matrix *z = &call->in->by[INVAR_ROLE_Z][0];
    const int64_t least = z->cols <= z->rows ? z->cols : z->rows;

    w->safe = invar_device_take(call->scratch, 1, sizeof *w->safe, err);
    return w->safe && invar_entropy_take(call->scratch, z, o->normalise, call->gradient != NULL, &w->room, err) &&
           invar_dense_take(call->scratch, INVAR_FLOAT64, least, least, &w->c, err);
}

/* w->room holds a view: per_view times its entropy; on request room.centred becomes the gradient of the entropy over
 * beta / (N - 1) */
static void entropy_of(struct invar_device *device, struct work *w, double beta, double per_view, bool gradient)
{
    const struct invar_matrix *z = &w->room.centred;
    const bool covariance = z->cols <= z->rows;

    invar_dense_gram(device, covariance, beta / (double)(z->rows - 1), z, &w->c);
    invar_dense_add_identity(device, &w->c, largest_diagonal(w->c.rows, covariance ? z->rows : z->cols), w->safe);
    invar_dense_cholesky(device, &w->c);
    invar_dense_log_diagonal(device, &w->c, per_view, w->logs);
    if (gradient) {
        invar_dense_cholesky_solve(device, &w->c, covariance, z);
        invar_dense_scale_by(device, w->safe, z);
    }
}

static double loss_divisor(const struct invar_logdet_options *o, int64_t d)
{
    return o->divide_by == INVAR_ENTROPY_DIVIDE_D ? (double)d : 1;
}

static bool logdet_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct invar_logdet_options *o = call->options;
    const struct invar_matrix *z = call->in->by[INVAR_ROLE_Z];
    const double per_view = invar_over_views(o->over_views, call->in->views);
    const double share = 1 / loss_divisor(o, z[0].cols), by_beta = o->beta / (double)(z[0].rows - 1);
    struct work w = {.logs = invar_term_part(call->sum, "entropy", 0)};

    invar_term_part_of(call->sum, "entropy_loss", w.logs, share, 0, 1);
    if (!take_work(call, &w, err))
        return false;
    for (int v = 0; v < call->in->views; v++) {
        const struct invar_matrix *wanted = invar_term_wanted(call->gradient, INVAR_ROLE_Z, v);
        invar_entropy_load(call->device, &w.room, &z[v]);
        entropy_of(call->device, &w, o->beta, per_view, wanted != NULL);
        if (wanted)
            invar_entropy_store(call->device, &w.room, call->weight * per_view * share * by_beta, &w.room.centred,
                                wanted);
    }
    return true;
}

/* log det of a positive definite matrix [d][d] by elimination, which destroys it */
static double reference_log_det(double *m, int64_t d)
{
    double sum = 0;

    for (int64_t k = 0; k < d; k++) {
        sum += log(m[k * d + k]);
        for (int64_t i = k + 1; i < d; i++)
            for (int64_t j = d - 1; j >= k; j--)
                m[i * d + j] -= m[i * d + k] / m[k * d + k] * m[k * d + j];
    }
    return sum;
}

static bool logdet_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct invar_logdet_options *o = options;
    const int64_t n = in->by[INVAR_ROLE_Z][0].rows, d = in->by[INVAR_ROLE_Z][0].cols;
    double *m = invar_alloc((size_t)(d * d), sizeof *m, NULL), *x = invar_alloc((size_t)(n * d), sizeof *x, NULL);
    double sum = 0;

    for (int v = 0; m && x && v < in->views; v++) {
        const struct invar_matrix *z = &in->by[INVAR_ROLE_Z][v];
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < d; j++)
                x[i * d + j] = invar_reference_at(z, i, j) / (o->normalise ? invar_reference_length(z, i) : 1);
        for (int64_t j = 0; j < d; j++) {
            double mean = 0;
            for (int64_t i = 0; i < n; i++)
                mean += x[i * d + j] / (double)n;
            for (int64_t i = 0; i < n; i++)
                x[i * d + j] -= mean;
        }
        for (int64_t j = 0; j < d; j++)
            for (int64_t k = 0; k < d; k++) {
                m[j * d + k] = j == k;
                for (int64_t i = 0; i < n; i++)
                    m[j * d + k] += o->beta * x[i * d + j] * x[i * d + k] / (double)(n - 1);
            }
        sum += reference_log_det(m, d) / 2;
    }
    sum *= invar_over_views(o->over_views, in->views);
    *out = (struct invar_term_value){.loss = sum / loss_divisor(o, d)};
    invar_reference_part(out, "entropy", sum);
    invar_reference_part(out, "entropy_loss", out->loss);
    const bool ok = m && x;
    invar_free(m);
    invar_free(x);
    return ok;
}

const struct invar_term_spec invar_term_logdet = {
    .name = "logdet",
    .help = "LogDet entropy of every view [I3]; a recipe raises it with a negative weight",
    .options = logdet_table,
    .options_size = sizeof(struct invar_logdet_options),
    .roles = logdet_roles,
    .check = logdet_check,
    .evaluate = logdet_evaluate,
    .reference = logdet_reference,
};
