/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ReLIC [R1]-[R3]: instance discrimination between every ordered pair of views (l, k), and invariance of the resulting
 * distributions among the pairs (KL), or of representations among the views (Euclidean form). With h = f the targets
 * are the embeddings themselves and S^{kl} is the transpose of S^{lk}, so that V views cost V(V-1)/2 products. With a
 * target network k runs over the views that have a target.
 */
#include "objective/term.h"

#include <math.h>

#define MAX_PAIRS (INVAR_MAX_VIEWS * (INVAR_MAX_VIEWS - 1))

#define PAIRS(CHOICE) CHOICE(PAIRS_ALL, "all") CHOICE(PAIRS_ADJACENT, "adjacent")
enum pairs { PAIRS(INVAR_CHOICE_CONSTANT) };
#define INVARIANCES(CHOICE) CHOICE(INVARIANCE_KL, "kl") CHOICE(INVARIANCE_EUCLIDEAN, "euclidean")
enum invariance { INVARIANCES(INVAR_CHOICE_CONSTANT) };
#define EUCLIDEAN_PAIRS(CHOICE) CHOICE(EUCLIDEAN_UNORDERED, "unordered")
enum euclidean_pairs { EUCLIDEAN_PAIRS(INVAR_CHOICE_CONSTANT) };
#define STOPS(CHOICE) CHOICE(STOP_NONE, "none") CHOICE(STOP_FIRST, "first")
enum stop { STOPS(INVAR_CHOICE_CONSTANT) };

struct relic_options {
    int64_t views;
    bool target, normalise;
    double tau, alpha;
    enum pairs pairs;
    bool normalise_pairs;
    enum invariance invariance;
    enum euclidean_pairs euclidean_pairs;
    enum stop kl_stop_gradient;
    bool groups;
};

#define AT(field) offsetof(struct relic_options, field)
static const struct invar_option relic_table[] = {
    {"views", INVAR_OPTION_INT, AT(views), "0", 0, INVAR_MAX_VIEWS, NULL, "views a sample; 0: as many as there are"},
    {"target", INVAR_OPTION_BOOL, AT(target), "false", 0, 0, NULL,
     "contrast the online output q with a target network's t (constants); false: h = f, both are z"},
    {"normalise", INVAR_OPTION_BOOL, AT(normalise), "true", 0, 0, NULL, "norm() of embeddings before their products"},
    INVAR_RENAMED("normalize", "normalise"),
    {"tau", INVAR_OPTION_REAL, AT(tau), "0.1", 1e-4, 1e4, NULL, "temperature"},
    {"alpha", INVAR_OPTION_REAL, AT(alpha), "1", 0, 1e6, NULL, "weight of the invariance part"},
    {"pairs", INVAR_OPTION_CHOICE, AT(pairs), "all", 0, 0, INVAR_CHOICES(PAIRS),
     "KL between all ordered pairs of view pairs, or between each and the next (the last and the first)"},
    {"normalise_pairs", INVAR_OPTION_BOOL, AT(normalise_pairs), "false", 0, 0, NULL,
     "divide the sum over view pairs and the sum of invariance terms by their numbers"},
    {"invariance", INVAR_OPTION_CHOICE, AT(invariance), "kl", 0, 0, INVAR_CHOICES(INVARIANCES),
     "KL between distributions, or squared distance between norm(h) of two views"},
    {"euclidean_pairs", INVAR_OPTION_CHOICE, AT(euclidean_pairs), "unordered", 0, 0, INVAR_CHOICES(EUCLIDEAN_PAIRS),
     "pairs of views in the Euclidean form: each unordered pair once"},
    {"kl_stop_gradient", INVAR_OPTION_CHOICE, AT(kl_stop_gradient), "none", 0, 0, INVAR_CHOICES(STOPS),
     "whether the first argument of each KL is a constant"},
    {"groups", INVAR_OPTION_BOOL, AT(groups), "false", 0, 0, NULL,
     "refinement: tell groups apart instead of samples, by ids given beside the views"},
    {0},
};

/* what one evaluation works on; pair p is (l, k) in the order (1,2) (1,3) .. (2,1) .., k a view that has a target */
struct work {
    int views, targets, pairs;
    struct invar_unit q[INVAR_MAX_VIEWS], own_t[INVAR_MAX_VIEWS];
    struct invar_unit *t; /* q where h = f */
    struct invar_matrix logits[MAX_PAIRS];
};

static int pair_of(const struct work *w, int l, int k)
{
    const int before = l < w->targets ? l * (w->targets - 1) : (l - 1) * w->targets;
    return before + (k < l ? k : k - 1);
}

static enum invar_role online_role(const struct relic_options *o)
{
    return o->target ? INVAR_ROLE_Q : INVAR_ROLE_Z;
}

/* how many views can be the second of a pair */
static int target_views(const struct relic_options *o, const struct invar_embeddings *in)
{
    return o->target ? invar_term_targets(in) : in->views;
}

static unsigned relic_roles(const void *options)
{
    const struct relic_options *o = options;
    unsigned mask = INVAR_ROLE_BIT(online_role(o));

    if (o->target)
        mask |= INVAR_ROLE_BIT(INVAR_ROLE_T);
    if (o->invariance == INVARIANCE_EUCLIDEAN)
        mask |= INVAR_ROLE_BIT(INVAR_ROLE_H);
    if (o->groups)
        mask |= INVAR_ROLE_GROUPS;
    return mask;
}

static bool relic_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    const struct relic_options *o = options;

    if (in->views < 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "relic needs two views of every sample or more, not %d: set "
                               "views.count (or give z1 and z2, or q1 q2 t1 t2)",
                               in->views);
    if (o->views != 0 && o->views != in->views)
        return invar_error_set(err, INVAR_ERROR_USAGE, "relic: views is %lld but there are %d: set one to the other",
                               (long long)o->views, in->views);
    return invar_term_check_shapes(&invar_term_relic, in, relic_roles(o), 2, err);
}

/* [R1] */
static bool take_logits(const struct invar_term_call *call, struct work *w, struct invar_error *err)
{
    const struct relic_options *o = call->options;
    const struct invar_embeddings *in = call->in, *gradient = call->gradient;
    struct invar_device *device = call->device;
    struct invar_scratch *scratch = call->scratch;
    const enum invar_role online = online_role(o);
    const int64_t n = in->by[online][0].rows;

    for (int l = 0; l < w->views; l++)
        if (!invar_unit_take(device, scratch, &in->by[online][l], o->normalise, invar_term_wanted(gradient, online, l),
                             &w->q[l], err) ||
            (o->target && l < w->targets &&
             !invar_unit_take(device, scratch, &in->by[INVAR_ROLE_T][l], o->normalise, NULL, &w->own_t[l], err)))
            return false;
    w->t = o->target ? w->own_t : w->q;
    for (int l = 0; l < w->views; l++)
        for (int k = 0; k < w->targets; k++) {
            if (k == l)
                continue;
            struct invar_matrix *s = &w->logits[pair_of(w, l, k)];
            if (!invar_dense_take(scratch, w->q[l].y.dtype, n, n, s, err))
                return false;
            if (o->target || l < k)
                invar_dense_product(device, false, true, 1 / o->tau, &w->q[l].y, &w->t[k].y, 0, s);
            else
                invar_dense_transpose(device, &w->logits[pair_of(w, k, l)], s, false);
        }
    return true;
}

/* [R2] and [R3] over groups of samples: the same on the logits of groups, then back to those of samples */
static bool contrast_groups(const struct invar_term_call *call, struct invar_dense_contrast *how, struct work *w,
                            struct invar_error *err)
{
    struct invar_device *device = call->device;
    struct invar_scratch *scratch = call->scratch;
    const int64_t n = w->logits[0].rows;
    struct invar_matrix grouped[MAX_PAIRS], gradient[MAX_PAIRS];
    int64_t groups;

    int64_t *index = invar_device_take(scratch, (size_t)n, sizeof *index, err);
    if (!index || !invar_dense_group_index(device, scratch, call->in->groups, n, index, &groups, err))
        return false;
    for (int p = 0; p < w->pairs; p++) {
        /* room for as many groups as samples, so that no batch takes more than the first did */
        if (!invar_dense_take(scratch, w->logits[p].dtype, n, n, &grouped[p], err) ||
            !invar_dense_take(scratch, w->logits[p].dtype, n, n, &gradient[p], err))
            return false;
        grouped[p].cols = gradient[p].cols = groups;
        if (!invar_dense_group(device, scratch, &w->logits[p], index, &grouped[p], err))
            return false;
        invar_dense_copy(device, &grouped[p], &gradient[p]);
    }
    how->match = index;
    if (!invar_dense_contrast(device, scratch, how, gradient, err))
        return false;
    for (int p = 0; p < w->pairs; p++)
        invar_dense_ungroup(device, &grouped[p], &gradient[p], index, &w->logits[p]);
    return true;
}

/* from the gradient of logits, which w->logits hold now, to that of the inputs */
static void add_gradient(struct invar_device *device, const struct relic_options *o, struct work *w,
                         const struct invar_embeddings *gradient)
{
    const enum invar_role online = online_role(o);

    for (int l = 0; l < w->views; l++)
        for (int k = 0; k < w->targets; k++) {
            if (k == l || (!o->target && k < l))
                continue;
            struct invar_matrix *s = &w->logits[pair_of(w, l, k)];
            if (!o->target)
                invar_dense_transpose(device, &w->logits[pair_of(w, k, l)], s, true);
            if (w->q[l].dy.data)
                invar_dense_product(device, false, false, 1 / o->tau, s, &w->t[k].y, 1, &w->q[l].dy);
            if (!o->target && w->q[k].dy.data)
                invar_dense_product(device, true, false, 1 / o->tau, s, &w->q[l].y, 1, &w->q[k].dy);
        }
    for (int l = 0; l < w->views; l++)
        if (w->q[l].dy.data)
            invar_unit_backward(device, &w->q[l], invar_term_wanted(gradient, online, l));
}

/* appendix B: sum over samples and unordered pairs of views of |norm(h^a) - norm(h^b)|^2; scale: of the gradient */
static bool euclidean(const struct invar_term_call *call, double scale, double factor, double *slot,
                      struct invar_error *err)
{
    const struct invar_embeddings *in = call->in, *gradient = call->gradient;
    struct invar_device *device = call->device;
    struct invar_unit h[INVAR_MAX_VIEWS];

    for (int a = 0; a < in->views; a++)
        if (!invar_unit_take(device, call->scratch, &in->by[INVAR_ROLE_H][a], true,
                             invar_term_wanted(gradient, INVAR_ROLE_H, a), &h[a], err))
            return false;
    for (int a = 0; a < in->views; a++)
        for (int b = a + 1; b < in->views; b++)
            invar_dense_distance(device, &h[a].y, &h[b].y, 2 * scale, &h[a].dy, &h[b].dy, factor, slot);
    for (int a = 0; a < in->views; a++)
        if (h[a].dy.data)
            invar_unit_backward(device, &h[a], invar_term_wanted(gradient, INVAR_ROLE_H, a));
    return true;
}

/* how many summands the invariance part has */
static double invariance_terms(const struct relic_options *o, int views, int pairs)
{
    if (o->invariance == INVARIANCE_EUCLIDEAN)
        return views * (views - 1) / 2.0;
    return o->pairs == PAIRS_ALL && pairs > 1 ? (double)pairs * (pairs - 1) : pairs;
}

static bool relic_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct relic_options *o = call->options;
    const struct invar_embeddings *in = call->in;
    const int targets = target_views(o, in);
    const bool euclidean_form = o->invariance == INVARIANCE_EUCLIDEAN;
    struct work w = {.views = in->views, .targets = targets, .pairs = targets * (in->views - 1)};
    const double n = (double)in->by[online_role(o)][0].rows;
    const double contrast_part = 1 / n / (o->normalise_pairs ? w.pairs : 1);
    const double invariance_part = 1 / n / (o->normalise_pairs ? invariance_terms(o, w.views, w.pairs) : 1);
    double *contrast = invar_term_part(call->sum, "contrast", 1);
    double *invariance = invar_term_part(call->sum, "invariance", o->alpha);
    struct invar_dense_contrast how = {
        .count = w.pairs,
        .divergence = euclidean_form          ? INVAR_DIVERGENCE_NONE
                      : o->pairs == PAIRS_ALL ? INVAR_DIVERGENCE_ALL
                                              : INVAR_DIVERGENCE_ADJACENT,
        .first_constant = o->kl_stop_gradient == STOP_FIRST,
        .contrast_scale = call->weight * contrast_part,
        .divergence_scale = call->weight * o->alpha * invariance_part,
        .contrast_factor = contrast_part,
        .divergence_factor = invariance_part,
        .contrast_slot = contrast,
        .divergence_slot = euclidean_form ? NULL : invariance,
    };

    if (!take_logits(call, &w, err))
        return false;
    if (o->groups ? !contrast_groups(call, &how, &w, err)
                  : !invar_dense_contrast(call->device, call->scratch, &how, w.logits, err))
        return false;
    if (call->gradient)
        add_gradient(call->device, o, &w, call->gradient);
    return !euclidean_form ||
           euclidean(call, call->weight * o->alpha * invariance_part, invariance_part, invariance, err);
}

/* ---- reference ---- */

/* log p^{lk}_i(group of sample c) straight from [R1] and [R2] */
static double reference_log_p(const struct relic_options *o, const struct invar_embeddings *in, int l, int k, int64_t i,
                              int64_t c)
{
    const struct invar_matrix *q = &in->by[online_role(o)][l];
    const struct invar_matrix *t = &in->by[o->target ? INVAR_ROLE_T : INVAR_ROLE_Z][k];
    const double own = invar_reference_dot(q, i, t, c, o->normalise) / o->tau;
    double all = 0, group = 0;

    for (int64_t j = 0; j < q->rows; j++) {
        const double e = exp(invar_reference_dot(q, i, t, j, o->normalise) / o->tau - own);
        all += e;
        if (o->groups ? in->groups[j] == in->groups[c] : j == c)
            group += e;
    }
    return log(group) - log(all);
}

/* sum over samples of KL(p || q) from tables of log p, each group counted at its first sample */
static double reference_kl(const struct relic_options *o, const int64_t *groups, const double *log_p,
                           const double *log_q, int64_t n)
{
    double sum = 0;

    for (int64_t c = 0; c < n; c++) {
        bool first = true;
        for (int64_t j = 0; o->groups && j < c; j++)
            first = first && groups[j] != groups[c];
        for (int64_t i = 0; first && i < n; i++)
            sum += exp(log_p[i * n + c]) * (log_p[i * n + c] - log_q[i * n + c]);
    }
    return sum;
}

static double reference_euclidean(const struct invar_embeddings *in)
{
    double sum = 0;

    for (int a = 0; a < in->views; a++)
        for (int b = a + 1; b < in->views; b++)
            for (int64_t i = 0; i < in->by[INVAR_ROLE_H][0].rows; i++)
                for (int64_t j = 0; j < in->by[INVAR_ROLE_H][0].cols; j++) {
                    const struct invar_matrix *x = &in->by[INVAR_ROLE_H][a], *y = &in->by[INVAR_ROLE_H][b];
                    const double apart = invar_reference_at(x, i, j) / invar_reference_length(x, i) -
                                         invar_reference_at(y, i, j) / invar_reference_length(y, i);
                    sum += apart * apart;
                }
    return sum;
}

static bool relic_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct relic_options *o = options;
    const int views = in->views, targets = target_views(o, in), pairs = targets * (views - 1);
    const int64_t n = in->by[online_role(o)][0].rows;
    double contrast = 0, invariance = 0;
    double *log_p = invar_alloc((size_t)(pairs * n * n), sizeof *log_p, NULL); /* [pair][i][c] */
    int count = 0;

    if (!log_p)
        return false;
    for (int l = 0; l < views; l++)
        for (int k = 0; k < targets; k++) {
            if (k == l)
                continue;
            double *table = log_p + n * n * count++;
            for (int64_t i = 0; i < n; i++) {
                for (int64_t c = 0; c < n; c++)
                    table[i * n + c] = reference_log_p(o, in, l, k, i, c);
                contrast -= table[i * n + i];
            }
        }
    for (int a = 0; a < pairs && o->invariance == INVARIANCE_KL; a++)
        for (int b = 0; b < pairs; b++)
            if (o->pairs == PAIRS_ALL ? a != b : b == (a + 1) % pairs)
                invariance += reference_kl(o, in->groups, log_p + n * n * a, log_p + n * n * b, n);
    invar_free(log_p);
    if (o->invariance == INVARIANCE_EUCLIDEAN)
        invariance = reference_euclidean(in);
    contrast /= (double)n * (o->normalise_pairs ? pairs : 1);
    invariance /= (double)n * (o->normalise_pairs ? invariance_terms(o, views, pairs) : 1);
    *out = (struct invar_term_value){.loss = contrast + o->alpha * invariance};
    invar_reference_part(out, "contrast", contrast);
    invar_reference_part(out, "invariance", invariance);
    return true;
}

const struct invar_term_spec invar_term_relic = {
    .name = "relic",
    .help = "contrast between views and invariance of its distributions [R1]-[R3]",
    .options = relic_table,
    .options_size = sizeof(struct relic_options),
    .roles = relic_roles,
    .check = relic_check,
    .evaluate = relic_evaluate,
    .reference = relic_reference,
};
