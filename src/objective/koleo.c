/* SPDX-License-Identifier: Apache-2.0 */
/* The Kozachenko-Leonenko term [KL1]: every row away from its nearest. Distances are those of differences of rows, so
 * that equal rows give exactly 0; the gradient goes to both ends. */
#include "objective/sums.h"
#include "objective/wide.h"

#include <math.h>

struct koleo_options {
    bool normalise;
    double eps;
    enum invar_over_views over_views;
};

#define AT(field) offsetof(struct koleo_options, field)
static const struct invar_option koleo_table[] = {
    {"normalise", INVAR_OPTION_BOOL, AT(normalise), "true", 0, 0, NULL,
     "norm() of z first; only without it is the part `entropy` one of z"},
    {"eps", INVAR_OPTION_REAL, AT(eps), "1e-8", 0, 1, NULL, "added to every distance"},
    {"over_views", INVAR_OPTION_CHOICE, AT(over_views), "sum", 0, 0, INVAR_CHOICES(INVAR_OVER_VIEWS), "value"},
    {0},
};

static unsigned koleo_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool koleo_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    return term_check_views(&invar_term_koleo, in, koleo_roles(options), err);
}

/* [KL2] without its sum over samples */
static double entropy_constant(int64_t n, int64_t d)
{
    double sum = (double)d / 2 * log(acos(-1)) - lgamma((double)d / 2 + 1);

    for (int64_t k = 1; k < n; k++)
        sum += 1 / (double)k;
    return sum;
}

/* room for one view */
struct work {
    struct invar_matrix centred, narrow, gram, squares, index, apart, distance, spare;
};

static bool take_work(const struct invar_term_call *call, struct work *w, struct invar_error *err)
{
    const int64_t n = call->in->by[INVAR_ROLE_Z][0].rows, d = call->in->by[INVAR_ROLE_Z][0].cols;

    return term_matrix(call, n, d, &w->centred, err) &&
           invar_dense_take(call->scratch, INVAR_FLOAT32, n, d, &w->narrow, err) &&
           invar_dense_take(call->scratch, INVAR_FLOAT32, n, n, &w->gram, err) &&
           term_vector(call, n, &w->squares, err) && term_matrix(call, n, 1, &w->index, err) &&
           term_matrix(call, n, d, &w->apart, err) && term_vector(call, n, &w->distance, err) &&
           term_vector(call, n, &w->spare, err);
}

/* of one view: factor and factor_distance of its values, scale of its gradient */
static void add_view(struct invar_device *device, const struct work *w, const struct invar_wide *z, double eps,
                     double scale, double factor, double *loss, double factor_distance, double *distance)
{
    const double n = (double)z->x.rows;

    /* float32, which says among which few rows the nearest is */
    invar_dense_centre(device, &z->x, &w->centred);
    invar_dense_copy(device, &w->centred, &w->narrow);
    invar_dense_gram(device, false, 1, &w->narrow, &w->gram);
    invar_dense_distances(device, &w->gram, w->squares.data);
    invar_dense_nearest(device, &z->x, &w->gram, &w->index);
    invar_dense_gather(device, &z->x, &w->index, &w->apart);
    invar_dense_scale(device, -1, &w->apart);
    invar_dense_add(device, 1, &z->x, &w->apart);
    invar_dense_row_products(device, &w->apart, &w->apart, w->distance.data);
    invar_dense_map(device, INVAR_MAP_SQRT, 1, 0, &w->distance);
    invar_dense_sum(device, &w->distance, factor_distance, distance);
    invar_dense_copy(device, &w->distance, &w->spare);
    invar_dense_map(device, INVAR_MAP_LOG, 1, eps, &w->spare);
    invar_dense_sum(device, &w->spare, -factor / n, loss);
    if (!z->dx.data)
        return;
    invar_dense_copy(device, &w->distance, &w->spare);
    invar_dense_map(device, INVAR_MAP_RECIPROCAL, 1, eps, &w->spare);
    invar_dense_map(device, INVAR_MAP_RECIPROCAL, 1, 0, &w->distance);
    invar_dense_multiply(device, &w->spare, &w->distance);
    invar_dense_scale_rows(device, w->distance.data, &w->apart);
    invar_dense_add(device, -scale / n, &w->apart, &z->dx);
    invar_dense_scatter_add(device, scale / n, &w->apart, &w->index, &z->dx);
}

static bool koleo_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct koleo_options *o = call->options;
    const struct invar_matrix *z = call->in->by[INVAR_ROLE_Z];
    const int views = call->in->views;
    const double per_view = term_over_views(o->over_views, views);
    double *loss = invar_term_part(call->sum, NULL, 1), *distance = invar_term_part(call->sum, "nearest_distance", 0);
    struct work w;

    if (!o->normalise)
        invar_term_part_of(call->sum, "entropy", loss, -(double)z[0].cols / (per_view * views),
                           entropy_constant(z[0].rows, z[0].cols), 0);
    if (!take_work(call, &w, err))
        return false;
    for (int v = 0; v < views; v++) {
        struct invar_wide wide;
        if (!wide_take(call, INVAR_ROLE_Z, v, o->normalise, &wide, err))
            return false;
        add_view(call->device, &w, &wide, o->eps, call->weight * per_view, per_view, loss,
                 1 / ((double)z[0].rows * views), distance);
        wide_backward(call, INVAR_ROLE_Z, v, &wide);
    }
    return true;
}

static bool koleo_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct koleo_options *o = options;
    const int64_t n = in->by[INVAR_ROLE_Z][0].rows, d = in->by[INVAR_ROLE_Z][0].cols;
    const double per_view = term_over_views(o->over_views, in->views);
    double loss = 0, distance = 0;

    for (int v = 0; v < in->views; v++) {
        double *x = reference_rows(&in->by[INVAR_ROLE_Z][v], o->normalise);
        for (int64_t i = 0; x && i < n; i++) {
            double least = (double)INFINITY;
            for (int64_t j = 0; j < n; j++) {
                double square = 0;
                for (int64_t k = 0; k < d; k++)
                    square += pow(x[i * d + k] - x[j * d + k], 2);
                least = j != i && square < least ? square : least;
            }
            loss -= per_view * log(sqrt(least) + o->eps) / (double)n;
            distance += sqrt(least) / (double)n / in->views;
        }
        invar_free(x);
    }
    *out = (struct invar_term_value){.loss = loss};
    reference_part(out, "nearest_distance", distance);
    if (!o->normalise)
        reference_part(out, "entropy", entropy_constant(n, d) - (double)d * loss / (per_view * in->views));
    return true;
}

const struct invar_term_spec invar_term_koleo = {
    .name = "koleo",
    .help = "every embedding away from its nearest [KL1]",
    .options = koleo_table,
    .options_size = sizeof(struct koleo_options),
    .roles = koleo_roles,
    .check = koleo_check,
    .evaluate = koleo_evaluate,
    .reference = koleo_reference,
};
