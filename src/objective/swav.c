/* SPDX-License-Identifier: Apache-2.0 */
/* SwAV [SW1]-[SW3]: scores of prototypes against assignments of another view, which balance the prototypes over the
 * batch and, where there is one that is full, a queue. */
#include "objective/ring.h"
#include "objective/wide.h"

#include <math.h>

#define SCORES(CHOICE) CHOICE(SCORES_GIVEN, "given") CHOICE(SCORES_PROTOTYPES, "prototypes")
enum scores { SCORES(INVAR_CHOICE_CONSTANT) };

struct swav_options {
    enum scores scores;
    double tau, epsilon;
    int64_t iterations, assign_views, queue;
    bool normalise_prototypes;
};

#define AT(field) offsetof(struct swav_options, field)
static const struct invar_option swav_table[] = {
    {"scores", INVAR_OPTION_CHOICE, AT(scores), "given", 0, 0, INVAR_CHOICES(SCORES),
     "given: q, the output of a predictor without bias; prototypes: norm(z) times rows that a file brings"},
    {"tau", INVAR_OPTION_REAL, AT(tau), "0.1", 1e-4, 1e4, NULL, "temperature"},
    {"epsilon", INVAR_OPTION_REAL, AT(epsilon), "0.05", 1e-6, 1e4, NULL, "of Sinkhorn-Knopp"},
    {"iterations", INVAR_OPTION_INT, AT(iterations), "3", 1, 1000, NULL, "of Sinkhorn-Knopp"},
    {"assign_views", INVAR_OPTION_INT, AT(assign_views), "2", 1, INVAR_MAX_VIEWS, NULL,
     "views, from the first, whose assignments the others predict"},
    {"queue", INVAR_OPTION_INT, AT(queue), "0", 0, 1 << 22, NULL, "rows of earlier steps, with scores: prototypes"},
    {"normalise_prototypes", INVAR_OPTION_BOOL, AT(normalise_prototypes), "false", 0, 0, NULL,
     "true: norm() of prototypes, with gradient (solo-learn); false: rows as they are (the authors)"},
    {0},
};

static const struct invar_term_input swav_inputs[] = {{"prototypes", INVAR_ROLE_W, 0}, {0}};

static unsigned swav_roles(const void *options)
{
    const struct swav_options *o = options;
    return o->scores == SCORES_GIVEN ? INVAR_ROLE_BIT(INVAR_ROLE_Q)
                                     : INVAR_ROLE_BIT(INVAR_ROLE_Z) | INVAR_ROLE_BIT(INVAR_ROLE_W);
}

static bool swav_reads(const void *options, enum invar_role role, int view)
{
    (void)options;
    return role != INVAR_ROLE_W || view == 0;
}

static bool swav_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    const struct swav_options *o = options;
    const struct invar_matrix *prototypes = &in->by[INVAR_ROLE_W][0], *z = &in->by[INVAR_ROLE_Z][0];

    if (in->views < 2 || o->assign_views > in->views)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "swav needs two views of every sample or more, and as many as assign_views, %lld, not "
                               "%d: set views.count",
                               (long long)o->assign_views, in->views);
    if (o->queue > 0 && o->scores == SCORES_GIVEN)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "swav keeps a queue of embeddings, but is given scores: set queue to 0, or scores to "
                               "prototypes");
    if (!term_check_shapes(&invar_term_swav, in, swav_roles(o) & ~INVAR_ROLE_BIT(INVAR_ROLE_W), 2, err))
        return false;
    return o->scores == SCORES_GIVEN || (prototypes->cols == z->cols && prototypes->dtype == z->dtype) ||
           invar_error_set(err, INVAR_ERROR_DATA,
                           "swav: prototypes have %lld columns where z has %lld: give both in one width and type",
                           (long long)prototypes->cols, (long long)z->cols);
}

static bool keeps_queue(const struct swav_options *o)
{
    return o->queue > 0 && o->scores == SCORES_PROTOTYPES;
}

static int64_t swav_state_size(const void *options, const struct invar_embeddings *shapes)
{
    const struct swav_options *o = options;
    return keeps_queue(o) ? ring_size((int)o->assign_views, o->queue, shapes->by[INVAR_ROLE_Z][0].cols) : 0;
}

/* scores of a view, and what they are made of */
struct scored {
    struct invar_unit z;
    struct invar_matrix s;
};

struct work {
    struct invar_unit prototypes;
    struct scored view[INVAR_MAX_VIEWS];
    struct invar_matrix assigned[INVAR_MAX_VIEWS];
};

static bool take_scores(const struct invar_term_call *call, struct work *w, struct invar_error *err)
{
    const struct swav_options *o = call->options;
    const struct invar_matrix *prototypes = &call->in->by[INVAR_ROLE_W][0];

    if (o->scores == SCORES_PROTOTYPES && !unit_take(call->device, call->scratch, prototypes, o->normalise_prototypes,
                                                     term_wanted(call->gradient, INVAR_ROLE_W, 0), &w->prototypes, err))
        return false;
    for (int v = 0; v < call->in->views; v++) {
        struct scored *view = &w->view[v];
        const struct invar_matrix *z = &call->in->by[INVAR_ROLE_Z][v];
        view->s = call->in->by[INVAR_ROLE_Q][v];
        if (o->scores == SCORES_GIVEN)
            continue;
        if (!unit_take(call->device, call->scratch, z, true, term_wanted(call->gradient, INVAR_ROLE_Z, v), &view->z,
                       err) ||
            !invar_dense_take(call->scratch, z->dtype, z->rows, prototypes->rows, &view->s, err))
            return false;
        invar_dense_product(call->device, false, true, 1, &view->z.y, &w->prototypes.y, 0, &view->s);
    }
    return true;
}

/* the scores of a view and those of its queue */
static bool take_all(const struct invar_term_call *call, struct work *w, int v, struct invar_matrix *all,
                     struct invar_error *err)
{
    const struct swav_options *o = call->options;
    const struct invar_matrix *s = &w->view[v].s;
    const int64_t n = s->rows, k = s->cols, d = call->in->by[INVAR_ROLE_Z][0].cols;
    const struct invar_matrix ring = ring_queue(call, v, o->queue, d);
    struct invar_matrix rows, own, behind;

    if (!invar_dense_take(call->scratch, s->dtype, n + o->queue, k, all, err) ||
        !ring_read(call, &ring, s->dtype, &rows, err))
        return false;
    own = behind = *all;
    own.rows = n;
    behind.rows = o->queue;
    behind.data = (char *)all->data + (size_t)(n * k) * invar_dtype_size(s->dtype);
    invar_dense_copy(call->device, s, &own);
    invar_dense_product(call->device, false, true, 1, &rows, &w->prototypes.y, 0, &behind);
    return true;
}

/* [SW1], [SW3] of one view */
static bool assign(const struct invar_term_call *call, struct work *w, int v, struct invar_error *err)
{
    const struct swav_options *o = call->options;
    const struct invar_matrix *s = &w->view[v].s;
    struct invar_matrix all = *s;

    if (!invar_dense_take(call->scratch, s->dtype, s->rows, s->cols, &w->assigned[v], err) ||
        (keeps_queue(o) && !take_all(call, w, v, &all, err)))
        return false;
    const float *place =
        keeps_queue(o) ? ring_place(call, (int)o->assign_views, o->queue, call->in->by[INVAR_ROLE_Z][0].cols) : NULL;
    return invar_dense_sinkhorn(call->device, call->scratch, o->epsilon, o->iterations, &all, o->queue, place,
                                &w->assigned[v], err);
}

/* what a view is told to predict: the sum of the assignments of all others */
static bool take_targets(const struct invar_term_call *call, const struct work *w, int v, struct invar_matrix *targets,
                         struct invar_error *err)
{
    const struct swav_options *o = call->options;
    const struct invar_matrix *s = &w->view[v].s;

    if (o->assign_views == 2 && v < 2) {
        *targets = w->assigned[1 - v];
        return true;
    }
    if (!invar_dense_take(call->scratch, s->dtype, s->rows, s->cols, targets, err))
        return false;
    invar_dense_zero(call->device, targets);
    for (int a = 0; a < o->assign_views; a++)
        if (a != v)
            invar_dense_add(call->device, 1, &w->assigned[a], targets);
    return true;
}

/* one view against the assignments of all others */
static bool predict(const struct invar_term_call *call, struct work *w, int v, double share, double *slot,
                    struct invar_error *err)
{
    const struct swav_options *o = call->options;
    struct invar_device *device = call->device;
    struct scored *view = &w->view[v];
    const struct invar_matrix *wanted = term_wanted(call->gradient, INVAR_ROLE_Q, v);
    struct invar_matrix logits, targets;

    if (!invar_dense_take(call->scratch, view->s.dtype, view->s.rows, view->s.cols, &logits, err) ||
        !take_targets(call, w, v, &targets, err))
        return false;
    const struct invar_dense_soft how = {
        .targets = &targets, .scale = call->weight * share, .factor = share, .slot = slot};
    invar_dense_copy(device, &view->s, &logits);
    invar_dense_scale(device, 1 / o->tau, &logits);
    if (!invar_dense_soft_contrast(device, call->scratch, &how, &logits, err))
        return false;
    if (o->scores == SCORES_GIVEN) {
        if (wanted)
            invar_dense_add(device, 1 / o->tau, &logits, wanted);
        return true;
    }
    if (view->z.dy.data)
        invar_dense_product_own(device, false, false, 1 / o->tau, &logits, &w->prototypes.y, 1, &view->z.dy);
    if (w->prototypes.dy.data)
        invar_dense_product(device, true, false, 1 / o->tau, &logits, &view->z.y, 1, &w->prototypes.dy);
    return true;
}

/* gradients of what is normalised, and the queues */
static void finish(const struct invar_term_call *call, struct work *w)
{
    const struct swav_options *o = call->options;
    const int64_t n = call->in->by[INVAR_ROLE_Z][0].rows, d = call->in->by[INVAR_ROLE_Z][0].cols;
    const struct invar_matrix *by_prototypes = term_wanted(call->gradient, INVAR_ROLE_W, 0);

    for (int v = 0; v < call->in->views; v++)
        if (w->view[v].z.dy.data)
            unit_backward(call->device, &w->view[v].z, term_wanted(call->gradient, INVAR_ROLE_Z, v));
    if (by_prototypes)
        unit_backward(call->device, &w->prototypes, by_prototypes);
    if (!keeps_queue(o))
        return;
    float *place = ring_place(call, (int)o->assign_views, o->queue, d);
    for (int v = 0; v < o->assign_views; v++) {
        const struct invar_matrix ring = ring_queue(call, v, o->queue, d);
        invar_dense_ring_write(call->device, &w->view[v].z.y, place, &ring);
    }
    invar_dense_ring_advance(call->device, n, o->queue, place);
}

static bool swav_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct swav_options *o = call->options;
    const int views = call->in->views, assigned = (int)o->assign_views;
    double *loss = invar_term_part(call->sum, NULL, 1);
    struct work w = {0};

    if (!take_scores(call, &w, err))
        return false;
    for (int a = 0; a < assigned; a++)
        if (!assign(call, &w, a, err))
            return false;
    const double share = 1 / ((double)w.view[0].s.rows * assigned * (views - 1));
    for (int b = 0; b < views; b++)
        if ((assigned > 1 || b > 0) && !predict(call, &w, b, share, loss, err))
            return false;
    if (o->scores == SCORES_PROTOTYPES)
        finish(call, &w);
    return true;
}

static double reference_score(const struct swav_options *o, const struct invar_embeddings *in, int v, int64_t i,
                              int64_t k)
{
    const struct invar_matrix *z = &in->by[INVAR_ROLE_Z][v], *p = &in->by[INVAR_ROLE_W][0];

    if (o->scores == SCORES_GIVEN)
        return reference_at(&in->by[INVAR_ROLE_Q][v], i, k);
    return reference_dot(z, i, p, k, false) / reference_length(z, i) /
           (o->normalise_prototypes ? reference_length(p, k) : 1);
}

/* of a batch alone, by division */
static void reference_assign(const struct swav_options *o, const struct invar_embeddings *in, int v, int64_t n,
                             int64_t k, double *q)
{
    double highest = -(double)INFINITY;

    for (int64_t i = 0; i < n * k; i++)
        highest = fmax(highest, reference_score(o, in, v, i / k, i % k));
    for (int64_t i = 0; i < n * k; i++)
        q[i] = exp((reference_score(o, in, v, i / k, i % k) - highest) / o->epsilon);
    for (int64_t turn = 0; turn < 2 * o->iterations; turn++) {
        const bool rows = turn % 2 == 1;
        for (int64_t a = 0; a < (rows ? n : k); a++) {
            double sum = 0;
            for (int64_t b = 0; b < (rows ? k : n); b++)
                sum += q[rows ? a * k + b : b * k + a];
            for (int64_t b = 0; b < (rows ? k : n); b++)
                q[rows ? a * k + b : b * k + a] /= sum;
        }
    }
}

static bool swav_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct swav_options *o = options;
    const bool given = o->scores == SCORES_GIVEN;
    const int64_t n = in->by[given ? INVAR_ROLE_Q : INVAR_ROLE_Z][0].rows;
    const int64_t k = given ? in->by[INVAR_ROLE_Q][0].cols : in->by[INVAR_ROLE_W][0].rows;
    double *q = invar_alloc((size_t)(n * k), sizeof *q, NULL), loss = 0;

    for (int a = 0; q && a < o->assign_views; a++) {
        reference_assign(o, in, a, n, k, q);
        for (int b = 0; b < in->views; b++)
            for (int64_t i = 0; b != a && i < n * k; i++) {
                const double own = reference_score(o, in, b, i / k, i % k);
                double sum = 0;
                for (int64_t j = 0; j < k; j++)
                    sum += exp((reference_score(o, in, b, i / k, j) - own) / o->tau);
                loss += q[i] * log(sum) / ((double)n * (double)o->assign_views * (in->views - 1));
            }
    }
    const bool ok = q != NULL;
    invar_free(q);
    *out = (struct invar_term_value){.loss = loss};
    return ok;
}

const struct invar_term_spec invar_term_swav = {
    .name = "swav",
    .help = "scores of prototypes against balanced assignments of other views [SW2]",
    .options = swav_table,
    .options_size = sizeof(struct swav_options),
    .inputs = swav_inputs,
    .reads = swav_reads,
    .roles = swav_roles,
    .check = swav_check,
    .evaluate = swav_evaluate,
    .state_size = swav_state_size,
    .reference = swav_reference,
};
