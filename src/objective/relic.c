/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ReLIC [R1]-[R3]: instance discrimination between every ordered pair of views (l, k), and invariance of the resulting
 * distributions among the pairs (KL), or of representations among the views (Euclidean form). With h = f the targets
 * are the embeddings themselves and S^{kl} is the transpose of S^{lk}, so that V views cost V(V-1)/2 products. With a
 * target network k runs over the views that have a target.
 */
#include "objective/relic.h"

#include <math.h>

#define MAX_PAIRS (INVAR_MAX_VIEWS * (INVAR_MAX_VIEWS - 1))

#define AT(field) offsetof(struct invar_relic_options, field)
static const struct invar_option relic_table[] = {
    {"views", INVAR_OPTION_INT, AT(views), "0", 0, INVAR_MAX_VIEWS, NULL, "views a sample; 0: as many as there are"},
    {"target", INVAR_OPTION_BOOL, AT(target), "false", 0, 0, NULL,
     "contrast the online output q with a target network's t (constants); false: h = f, both are z"},
    {"normalise", INVAR_OPTION_BOOL, AT(normalise), "true", 0, 0, NULL, "norm() of embeddings before their products"},
    INVAR_RENAMED("normalize", "normalise"),
    {"tau", INVAR_OPTION_REAL, AT(tau), "0.1", 1e-4, 1e4, NULL, "temperature"},
    {"alpha", INVAR_OPTION_REAL, AT(alpha), "1", 0, 1e6, NULL,
     "weight of the invariance part; with rho, what the multiplier is at first"},
    {"rho", INVAR_OPTION_REAL, AT(rho), "0", 0, 1e6, NULL,
     "bound of the invariance part, with a multiplier that is learned in the place of alpha; 0: alpha stays as it is"},
    {"dual_rate", INVAR_OPTION_REAL, AT(dual_rate), "0.01", 0, 1e6, NULL,
     "step of that multiplier, by so much of what the invariance part is above rho"},
    {"pairs", INVAR_OPTION_CHOICE, AT(pairs), "all", 0, 0, INVAR_CHOICES(INVAR_RELIC_PAIRS),
     "KL between all ordered pairs of view pairs, or between each and the next (the last and the first)"},
    {"normalise_pairs", INVAR_OPTION_BOOL, AT(normalise_pairs), "false", 0, 0, NULL,
     "divide the sum over view pairs and the sum of invariance terms by their numbers"},
    {"invariance", INVAR_OPTION_CHOICE, AT(invariance), "kl", 0, 0, INVAR_CHOICES(INVAR_RELIC_INVARIANCES),
     "kl: between distributions; euclidean: appendix B simplified, squared distance between norm(h) of two views; "
     "appendix_b: as printed, all of h: view 1 is the clean sample (views.clean), whose distance to the others counts, "
     "and the others are contrasted"},
    {"euclidean_pairs", INVAR_OPTION_CHOICE, AT(euclidean_pairs), "unordered", 0, 0,
     INVAR_CHOICES(INVAR_EUCLIDEAN_PAIRS), "pairs of views in the Euclidean form: each unordered pair once"},
    {"bound", INVAR_OPTION_REAL, AT(bound), "1", 1e-6, 1e6, NULL,
     "appendix_b: length to which longer h are shortened, in the place of norm()"},
    {"kl_stop_gradient", INVAR_OPTION_CHOICE, AT(kl_stop_gradient), "none", 0, 0, INVAR_CHOICES(INVAR_RELIC_STOPS),
     "whether the first argument of each KL is a constant"},
    {"contrast_set", INVAR_OPTION_INT, AT(contrast_set), "0", 0, 1 << 24, NULL,
     "members of the contrast set, a sample's own match and others of the batch that are drawn anew every step; 0: the "
     "whole batch"},
    {"groups", INVAR_OPTION_BOOL, AT(groups), "false", 0, 0, NULL,
     "refinement: tell groups apart instead of samples, by ids given beside the views"},
    {0},
};

/* what one evaluation works on; pair p is (l, k) in the order (1,2) (1,3) .. (2,1) .., k a view that has a target */
struct work {
    int first, views, targets, pairs; /* views first, first + 1, .. of the input are contrasted */
    struct invar_relic_side q[INVAR_MAX_VIEWS], own_t[INVAR_MAX_VIEWS];
    struct invar_relic_side *t; /* q where h = f */
    struct invar_matrix logits[MAX_PAIRS];
};

static int pair_of(const struct work *w, int l, int k)
{
    const int before = l < w->targets ? l * (w->targets - 1) : (l - 1) * w->targets;
    return before + (k < l ? k : k - 1);
}

static bool is_appendix_b(const struct invar_relic_options *o)
{
    return o->invariance == INVAR_INVARIANCE_APPENDIX_B;
}

static enum invar_role online_role(const struct invar_relic_options *o)
{
    return is_appendix_b(o) ? INVAR_ROLE_H : o->target ? INVAR_ROLE_Q : INVAR_ROLE_Z;
}

/* which views are contrasted, and how many of them can be the second of a pair */
static struct work contrasted(const struct invar_relic_options *o, const struct invar_embeddings *in)
{
    const int first = is_appendix_b(o) ? 1 : 0, views = in->views - first;
    const int targets = o->target ? term_targets(in) : views;

    return (struct work){.first = first, .views = views, .targets = targets, .pairs = targets * (views - 1)};
}

static unsigned relic_roles(const void *options)
{
    const struct invar_relic_options *o = options;
    unsigned mask = INVAR_ROLE_BIT(online_role(o));

    if (o->target)
        mask |= INVAR_ROLE_BIT(INVAR_ROLE_T);
    if (o->invariance == INVAR_INVARIANCE_EUCLIDEAN)
        mask |= INVAR_ROLE_BIT(INVAR_ROLE_H);
    if (o->groups)
        mask |= INVAR_ROLE_GROUPS;
    if (is_appendix_b(o))
        mask |= INVAR_ROLE_CLEAN;
    return mask;
}

static bool check_options(const struct invar_relic_options *o, const struct invar_embeddings *in,
                          struct invar_error *err)
{
    if (in->views < 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "relic needs two views of every sample or more, not %d: set "
                               "views.count (or give z1 and z2, or q1 q2 t1 t2)",
                               in->views);
    if (o->views != 0 && o->views != in->views)
        return invar_error_set(err, INVAR_ERROR_USAGE, "relic: views is %lld but there are %d: set one to the other",
                               (long long)o->views, in->views);
    if (is_appendix_b(o) && in->views < 3)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "relic: invariance=appendix_b needs three views of every sample or more, of which the "
                               "first is the clean sample, not %d: set views.count=3 (or give h1, h2 and h3)",
                               in->views);
    if (is_appendix_b(o) && o->target)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "relic: invariance=appendix_b is of h alone: set target=false, or invariance=euclidean");
    if (o->contrast_set && o->groups)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "relic: contrast_set draws samples and groups puts them together: set contrast_set=0, "
                               "or groups=false");
    return true;
}

static bool relic_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    const struct invar_relic_options *o = options;

    if (!check_options(o, in, err) || !term_check_shapes(&invar_term_relic, in, relic_roles(o), 2, err))
        return false;
    const int64_t n = in->by[online_role(o)][in->views - 1].rows;
    return o->contrast_set == 0 || (o->contrast_set >= 2 && o->contrast_set <= n) ||
           invar_error_set(err, INVAR_ERROR_USAGE,
                           "relic: a contrast_set of %lld in a batch of %lld samples: choose 2 to %lld, or 0 for the "
                           "whole batch",
                           (long long)o->contrast_set, (long long)n, (long long)n);
}

/* [R1] */
static bool take_logits(const struct invar_term_call *call, struct work *w, struct invar_error *err)
{
    const struct invar_relic_options *o = call->options;
    struct invar_device *device = call->device;
    const int64_t n = call->in->by[online_role(o)][w->first].rows;

    for (int l = 0; l < w->views; l++)
        if (!relic_side_take(call, online_role(o), w->first + l, o->normalise, &w->q[l], err) ||
            (o->target && l < w->targets && !relic_side_take(call, INVAR_ROLE_T, l, o->normalise, &w->own_t[l], err)))
            return false;
    w->t = o->target ? w->own_t : w->q;
    for (int l = 0; l < w->views; l++)
        for (int k = 0; k < w->targets; k++) {
            if (k == l)
                continue;
            struct invar_matrix *s = &w->logits[pair_of(w, l, k)];
            if (!invar_dense_take(call->scratch, w->q[l].unit.y.dtype, n, n, s, err))
                return false;
            if (o->target || l < k)
                invar_dense_product(device, false, true, 1 / o->tau, &w->q[l].unit.y, &w->t[k].unit.y, 0, s);
            else
                invar_dense_transpose(device, &w->logits[pair_of(w, k, l)], s, false);
        }
    return true;
}

/* from the gradient of logits, which w->logits hold now, to that of the inputs */
static void add_gradient(const struct invar_term_call *call, struct work *w)
{
    const struct invar_relic_options *o = call->options;
    struct invar_device *device = call->device;

    for (int l = 0; l < w->views; l++)
        for (int k = 0; k < w->targets; k++) {
            if (k == l || (!o->target && k < l))
                continue;
            struct invar_matrix *s = &w->logits[pair_of(w, l, k)];
            if (!o->target)
                invar_dense_transpose(device, &w->logits[pair_of(w, k, l)], s, true);
            if (w->q[l].unit.dy.data)
                invar_dense_product_own(device, false, false, 1 / o->tau, s, &w->t[k].unit.y, 1, &w->q[l].unit.dy);
            if (!o->target && w->q[k].unit.dy.data)
                invar_dense_product_own(device, true, false, 1 / o->tau, s, &w->q[l].unit.y, 1, &w->q[k].unit.dy);
        }
    for (int l = 0; l < w->views; l++)
        relic_side_backward(call, online_role(o), w->first + l, &w->q[l]);
}

/* how many summands the invariance part has */
static double invariance_terms(const struct invar_relic_options *o, int views, int pairs)
{
    if (o->invariance != INVAR_INVARIANCE_KL)
        return relic_euclidean_pairs(o, views);
    return o->pairs == INVAR_PAIRS_ALL && pairs > 1 ? (double)pairs * (pairs - 1) : pairs;
}

static bool relic_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct invar_relic_options *o = call->options;
    const struct invar_embeddings *in = call->in;
    const bool kl = o->invariance == INVAR_INVARIANCE_KL, learned = o->rho > 0;
    struct work w = contrasted(o, in);
    const double n = (double)in->by[online_role(o)][w.first].rows;
    const double contrast_part = 1 / n / (o->normalise_pairs ? w.pairs : 1);
    const double invariance_part = 1 / n / (o->normalise_pairs ? invariance_terms(o, in->views, w.pairs) : 1);
    const double scale = call->weight * invariance_part * (learned ? 1 : o->alpha);
    double *contrast = invar_term_part(call->sum, "contrast", 1);
    double *invariance = invar_term_part(call->sum, "invariance", learned ? 0 : o->alpha), *multiplier;
    struct invar_dense_contrast how = {
        .count = w.pairs,
        .divergence = !kl                           ? INVAR_DIVERGENCE_NONE
                      : o->pairs == INVAR_PAIRS_ALL ? INVAR_DIVERGENCE_ALL
                                                    : INVAR_DIVERGENCE_ADJACENT,
        .first_constant = o->kl_stop_gradient == INVAR_STOP_FIRST,
        .contrast_scale = call->weight * contrast_part,
        .divergence_scale = scale,
        .contrast_factor = contrast_part,
        .divergence_factor = invariance_part,
        .contrast_slot = contrast,
        .divergence_slot = kl ? invariance : NULL,
    };

    if (!relic_multiplier_take(call, &multiplier, err) || !take_logits(call, &w, err))
        return false;
    how.divergence_weight = multiplier;
    if (!relic_contrast(call, &how, w.logits, err))
        return false;
    if (call->gradient)
        add_gradient(call, &w);
    if (!kl && !relic_euclidean(call, scale, multiplier, invariance_part, invariance, err))
        return false;
    return !learned || relic_multiplier_step(call, multiplier, invariance, err);
}

static int64_t relic_state_size(const void *options, const struct invar_embeddings *shapes)
{
    (void)shapes;
    return ((const struct invar_relic_options *)options)->rho > 0 ? 1 : 0;
}

static void relic_state_init(const void *options, const struct invar_embeddings *shapes, float *state)
{
    (void)shapes;
    *state = (float)((const struct invar_relic_options *)options)->alpha;
}

/* ---- reference ---- */

/* <row i of a, row j of b> as the contrast sees them */
static double reference_product(const struct invar_relic_options *o, const struct invar_matrix *a, int64_t i,
                                const struct invar_matrix *b, int64_t j)
{
    if (!is_appendix_b(o))
        return reference_dot(a, i, b, j, o->normalise);
    return reference_dot(a, i, b, j, false) / fmax(1, reference_length(a, i) / o->bound) /
           fmax(1, reference_length(b, j) / o->bound);
}

/* whether j is in the contrast set of row i; set: of that row, NULL: all are */
static bool reference_member(const struct invar_relic_options *o, const int64_t *set, int64_t j)
{
    bool found = !set;

    for (int64_t m = 0; set && m < o->contrast_set; m++)
        found = found || set[m] == j;
    return found;
}

/* log p^{lk}_i(group of sample c) straight from [R1] and [R2]; l and k: views of the input */
static double reference_log_p(const struct invar_relic_options *o, const struct invar_embeddings *in, int l, int k,
                              const int64_t *set, int64_t i, int64_t c)
{
    const struct invar_matrix *q = &in->by[online_role(o)][l];
    const struct invar_matrix *t = &in->by[o->target ? INVAR_ROLE_T : online_role(o)][k];
    const double own = reference_product(o, q, i, t, c) / o->tau;
    double all = 0, group = 0;

    for (int64_t j = 0; j < q->rows; j++) {
        const double e = reference_member(o, set, j) ? exp(reference_product(o, q, i, t, j) / o->tau - own) : 0;
        all += e;
        if (o->groups ? in->groups[j] == in->groups[c] : j == c)
            group += e;
    }
    return log(group) - log(all); /* minus infinity of who is not in the set */
}

/* sum over samples of KL(p || q) from tables of log p, each group counted at its first sample */
static double reference_kl(const struct invar_relic_options *o, const int64_t *groups, const double *log_p,
                           const double *log_q, int64_t n)
{
    double sum = 0;

    for (int64_t c = 0; c < n; c++) {
        bool first = true;
        for (int64_t j = 0; o->groups && j < c; j++)
            first = first && groups[j] != groups[c];
        for (int64_t i = 0; first && i < n; i++)
            if (isfinite(log_p[i * n + c]))
                sum += exp(log_p[i * n + c]) * (log_p[i * n + c] - log_q[i * n + c]);
    }
    return sum;
}

static double reference_euclidean(const struct invar_relic_options *o, const struct invar_embeddings *in)
{
    double sum = 0;

    for (int a = 0; a < (is_appendix_b(o) ? 1 : in->views); a++)
        for (int b = a + 1; b < in->views; b++)
            for (int64_t i = 0; i < in->by[INVAR_ROLE_H][0].rows; i++)
                for (int64_t j = 0; j < in->by[INVAR_ROLE_H][0].cols; j++) {
                    const struct invar_matrix *x = &in->by[INVAR_ROLE_H][a], *y = &in->by[INVAR_ROLE_H][b];
                    double left = reference_length(x, i), right = reference_length(y, i);
                    if (is_appendix_b(o)) {
                        left = fmax(1, left / o->bound);
                        right = fmax(1, right / o->bound);
                    }
                    const double apart = reference_at(x, i, j) / left - reference_at(y, i, j) / right;
                    sum += apart * apart;
                }
    return sum;
}

/* the first step: the multiplier is alpha */
static bool relic_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct invar_relic_options *o = options;
    const struct work w = contrasted(o, in);
    const int pairs = w.pairs;
    const int64_t n = in->by[online_role(o)][w.first].rows, m = o->contrast_set;
    double contrast = 0, invariance = 0;
    double *log_p = invar_alloc((size_t)(pairs * n * n), sizeof *log_p, NULL); /* [pair][i][c] */
    int64_t *set = invar_alloc((size_t)(n * (m + 1)), sizeof *set, NULL);
    int count = 0;

    if (!log_p || !set)
        goto done;
    if (m)
        relic_draw((struct invar_term_key){0}, n, m, set + n * m, set);
    for (int l = 0; l < w.views; l++)
        for (int k = 0; k < w.targets; k++) {
            if (k == l)
                continue;
            double *table = log_p + n * n * count++;
            for (int64_t i = 0; i < n; i++) {
                for (int64_t c = 0; c < n; c++)
                    table[i * n + c] = reference_log_p(o, in, w.first + l, w.first + k, m ? set + i * m : NULL, i, c);
                contrast -= table[i * n + i];
            }
        }
    for (int a = 0; a < pairs && o->invariance == INVAR_INVARIANCE_KL; a++)
        for (int b = 0; b < pairs; b++)
            if (o->pairs == INVAR_PAIRS_ALL ? a != b : b == (a + 1) % pairs)
                invariance += reference_kl(o, in->groups, log_p + n * n * a, log_p + n * n * b, n);
    if (o->invariance != INVAR_INVARIANCE_KL)
        invariance = reference_euclidean(o, in);
    contrast /= (double)n * (o->normalise_pairs ? pairs : 1);
    invariance /= (double)n * (o->normalise_pairs ? invariance_terms(o, in->views, pairs) : 1);
    *out = (struct invar_term_value){.loss = contrast + o->alpha * (invariance - o->rho)};
    reference_part(out, "contrast", contrast);
    reference_part(out, "invariance", invariance);
    if (o->rho > 0)
        reference_part(out, "multiplier", o->alpha);
done:
    count = log_p && set;
    invar_free(log_p);
    invar_free(set);
    return count;
}

const struct invar_term_spec invar_term_relic = {
    .name = "relic",
    .help = "contrast between views and invariance of its distributions [R1]-[R3], [R6]-[R8]",
    .options = relic_table,
    .options_size = sizeof(struct invar_relic_options),
    .roles = relic_roles,
    .check = relic_check,
    .evaluate = relic_evaluate,
    .state_size = relic_state_size,
    .state_init = relic_state_init,
    .reference = relic_reference,
};
