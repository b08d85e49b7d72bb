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
    {"divide_by", INVAR_OPTION_CHOICE, AT(divide_by), "d", 0, 0, "none|d",
     "d: the loss does not grow with the width of z; none: the measurement in nats"},
    {"normalise", INVAR_OPTION_BOOL, AT(normalise), "false", 0, 0, NULL,
     "norm() of z first; true beside SimCLR or BYOL, whose own terms do so"},
    INVAR_RENAMED("normalize", "normalise"),
    {"over_views", INVAR_OPTION_CHOICE, AT(over_views), "sum", 0, 0, "sum|mean", "value and parts: sum as in [I2]"},
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
    double *diagonal;      /* host */
};

static bool take_work(struct invar_scratch *scratch, const struct invar_logdet_options *o, const struct invar_matrix *z,
                      bool gradient, struct work *w, struct invar_error *err)
{
    const int64_t least = z->cols <= z->rows ? z->cols : z->rows;

    *w = (struct work){0};
    w->diagonal = invar_scratch_take(scratch, (size_t)least, sizeof *w->diagonal, err);
    return w->diagonal && invar_entropy_take(scratch, z, o->normalise, gradient, &w->room, err) &&
           invar_dense_take(scratch, INVAR_FLOAT64, least, least, &w->c, err);
}

/*
 * 1, or less where beta C is so large that rounding could hide I and the factorisation fail. Cholesky succeeds for
 * a matrix of diagonal up to t, smallest eigenvalue 1 and entries off by inner * epsilon relative to the diagonal
 * while n (n + inner) epsilon t < 1 (Demmel 1989). Even at 4096 x 8192 that is any t below 8e7: only embeddings that
 * have run away are treated so.
 */
static double safe_scale(const double *diagonal, int64_t n, int64_t inner)
{
    const double limit = 1 / ((double)n * (double)(n + inner + 2) * DBL_EPSILON);
    double largest = 0;

    for (int64_t i = 0; i < n; i++)
        if (!(diagonal[i] <= largest))
            largest = diagonal[i];
    return largest > limit ? limit / largest : 1;
}

/* w->room holds a view: its entropy; on request room.centred becomes the gradient of that divided by *factor */
static bool entropy_of(struct invar_device *device, struct work *w, double beta, bool gradient, double *out,
                       double *factor, struct invar_error *err)
{
    const struct invar_matrix *z = &w->room.centred;
    const int64_t n = w->c.rows;
    const bool covariance = z->cols <= z->rows;
    const double scale = beta / (double)(z->rows - 1);

    invar_dense_gram(device, covariance, scale, z, &w->c);
    invar_dense_diagonal(device, &w->c, w->diagonal);
    *out = 0;
    for (int64_t i = 0; i < n; i++)
        *out += w->diagonal[i];
    if (!isfinite(*out))
        return true; /* the caller reports a value that is not finite */
    const double safe = safe_scale(w->diagonal, n, covariance ? z->rows : z->cols);
    if (safe < 1)
        invar_dense_scale(device, safe, &w->c);
    for (int64_t i = 0; i < n; i++)
        w->diagonal[i] = 1 + safe * w->diagonal[i];
    invar_dense_set_diagonal(device, &w->c, w->diagonal);
    if (!invar_dense_cholesky(device, &w->c, err))
        return false;
    invar_dense_diagonal(device, &w->c, w->diagonal);
    *out = 0;
    for (int64_t i = 0; i < n; i++)
        *out += log(w->diagonal[i]);
    if (gradient)
        invar_dense_cholesky_solve(device, &w->c, covariance, z);
    *factor = safe * scale;
    return true;
}

static void give(const struct invar_logdet_options *o, double sum, double per_view, int64_t d,
                 struct invar_term_value *out)
{
    const double divisor = o->divide_by == INVAR_ENTROPY_DIVIDE_D ? (double)d : 1;

    *out = (struct invar_term_value){.loss = per_view * sum / divisor};
    invar_term_part(out, "entropy", per_view * sum);
    invar_term_part(out, "entropy_loss", out->loss);
}

static bool logdet_evaluate(struct invar_device *device, struct invar_scratch *scratch, const void *options,
                            const struct invar_embeddings *in, double weight, const struct invar_embeddings *gradient,
                            struct invar_term_value *out, struct invar_error *err)
{
    const struct invar_logdet_options *o = options;
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const double per_view = invar_over_views(o->over_views, in->views);
    const double divisor = o->divide_by == INVAR_ENTROPY_DIVIDE_D ? (double)z[0].cols : 1;
    struct work w;
    double sum = 0;

    if (!take_work(scratch, o, &z[0], gradient != NULL, &w, err))
        return false;
    for (int v = 0; v < in->views; v++) {
        const struct invar_matrix *wanted = invar_term_wanted(gradient, INVAR_ROLE_Z, v);
        double entropy, factor = 0;
        invar_entropy_load(device, &w.room, &z[v]);
        if (!entropy_of(device, &w, o->beta, wanted != NULL, &entropy, &factor, err))
            return false;
        sum += entropy;
        if (wanted && isfinite(entropy))
            invar_entropy_store(device, &w.room, weight * per_view / divisor * factor, &w.room.centred, wanted);
    }
    give(o, sum, per_view, z[0].cols, out);
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
    give(o, sum, invar_over_views(o->over_views, in->views), d, out);
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
