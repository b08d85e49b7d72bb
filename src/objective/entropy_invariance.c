/* SPDX-License-Identifier: Apache-2.0 */
/* The information-theoretic objective [I2]: entropy of every view by any of the terms that say one, raised, and the
 * distance between views, lowered; each a part. */
#include "objective/sums.h"

#include <string.h>

#define ESTIMATORS(CHOICE)                                                                                             \
    CHOICE(ENTROPY_LOGDET, "logdet")                                                                                   \
    CHOICE(ENTROPY_PAIRDIST, "pairdist")                                                                               \
    CHOICE(ENTROPY_VNE, "vne")                                                                                         \
    CHOICE(ENTROPY_KOLEO, "koleo")                                                                                     \
    CHOICE(ENTROPY_TCR, "tcr")                                                                                         \
    CHOICE(ENTROPY_FROSSL, "frossl")                                                                                   \
    CHOICE(ENTROPY_UNIFORMITY, "uniformity")                                                                           \
    CHOICE(ENTROPY_MMD, "mmd")
enum estimator { ESTIMATORS(INVAR_CHOICE_CONSTANT) };
#define DIVISORS(CHOICE) CHOICE(DIVIDE_AUTO, "auto") CHOICE(DIVIDE_NONE, "none") CHOICE(DIVIDE_D, "d")
enum divisor { DIVISORS(INVAR_CHOICE_CONSTANT) };

struct entropy_invariance_options {
    enum estimator entropy;
    enum divisor divide_by;
    double weight_entropy, weight_invariance;
    bool normalise;
    struct invar_logdet_options logdet;
    struct invar_pairdist_options pairdist;
    struct invar_invariance_options invariance;
};

#define AT(field) offsetof(struct entropy_invariance_options, field)
static const struct invar_option entropy_invariance_table[] = {
    {"entropy", INVAR_OPTION_CHOICE, AT(entropy), "logdet", 0, 0, INVAR_CHOICES(ESTIMATORS),
     "which term says the entropy; those beside logdet and pairdist with their defaults"},
    {"weight_entropy", INVAR_OPTION_REAL, AT(weight_entropy), "1", 0, 1e9, NULL, "of the entropies of all views"},
    {"weight_invariance", INVAR_OPTION_REAL, AT(weight_invariance), "1", 0, 1e9, NULL,
     "of the invariance part; VICReg's 25 collapses beside a LogDet of beta 10"},
    {"divide_by", INVAR_OPTION_CHOICE, AT(divide_by), "auto", 0, 0, INVAR_CHOICES(DIVISORS),
     "of the entropies logdet and pairdist; auto: d for the first, none for the second"},
    {"normalise", INVAR_OPTION_BOOL, AT(normalise), "false", 0, 0, NULL, "norm() of z before the entropies"},
    INVAR_RENAMED("normalize", "normalise"),
    {"beta", INVAR_OPTION_REAL, AT(logdet.beta), "1", 1e-9, 1e9, NULL, "of logdet"},
    {"distance", INVAR_OPTION_CHOICE, AT(pairdist.distance), "kl", 0, 0, INVAR_CHOICES(INVAR_ENTROPY_DISTANCES),
     "of pairdist"},
    {"sigma", INVAR_OPTION_REAL, AT(pairdist.sigma), "1", 1e-9, 1e9, NULL, "of pairdist"},
    {"chernoff_alpha", INVAR_OPTION_REAL, AT(pairdist.chernoff_alpha), "0.5", 1e-9, 1 - 1e-9, NULL, "of pairdist"},
    {"invariance_divide_by", INVAR_OPTION_CHOICE, AT(invariance.divide_by), "nd", 0, 0,
     INVAR_CHOICES(INVAR_INVARIANCE_DIVIDE), "nd: mean over samples and dimensions; n: per vector"},
    {"invariance_normalise", INVAR_OPTION_BOOL, AT(invariance.normalise), "false", 0, 0, NULL,
     "norm() of z in the invariance part"},
    INVAR_RENAMED("invariance_normalize", "invariance_normalise"),
    {0},
};

#define MOST_VIEWS 7
static const char *const entropy_names[MOST_VIEWS] = {"entropy_z1", "entropy_z2", "entropy_z3", "entropy_z4",
                                                      "entropy_z5", "entropy_z6", "entropy_z7"};

static unsigned entropy_invariance_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool entropy_invariance_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    const struct entropy_invariance_options *o = options;

    if (o->weight_entropy == 0 && o->weight_invariance == 0)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "entropy_invariance: weight_entropy and weight_invariance are both 0, so nothing would "
                               "be trained: set one of them");
    if (in->views < 2 || in->views > MOST_VIEWS)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "entropy_invariance needs two views of every sample or more, up to %d, not %d: set "
                               "views.count and views.local (or give z1 and z2)",
                               MOST_VIEWS, in->views);
    return term_check_shapes(&invar_term_entropy_invariance, in, entropy_invariance_roles(options), 2, err);
}

/* an entropy term and its options; sign -1: its loss is minus an entropy */
struct chosen {
    const struct invar_term_spec *term;
    const void *options;
    double sign;
    struct invar_logdet_options logdet;
    struct invar_pairdist_options pairdist;
    double other[32]; /* options of any other term */
};

/* norm() as here, where the term has it */
static void take_defaults(struct chosen *c, bool normalise)
{
    invar_options_default(c->term->options, c->other);
    for (const struct invar_option *option = c->term->options; option->name; option++)
        if (strcmp(option->name, "normalise") == 0)
            *(bool *)((char *)c->other + option->offset) = normalise;
    c->options = c->other;
}

static void choose(const struct entropy_invariance_options *o, struct chosen *c)
{
    static const struct invar_term_spec *const terms[] = {
        [ENTROPY_LOGDET] = &invar_term_logdet,
        [ENTROPY_PAIRDIST] = &invar_term_pairdist,
        [ENTROPY_VNE] = &invar_term_vne,
        [ENTROPY_KOLEO] = &invar_term_koleo,
        [ENTROPY_TCR] = &invar_term_tcr,
        [ENTROPY_FROSSL] = &invar_term_frossl,
        [ENTROPY_UNIFORMITY] = &invar_term_uniformity,
        [ENTROPY_MMD] = &invar_term_mmd,
    };
    const bool by_d = o->divide_by == DIVIDE_D || (o->divide_by == DIVIDE_AUTO && o->entropy == ENTROPY_LOGDET);

    *c = (struct chosen){.term = terms[o->entropy], .logdet = o->logdet, .pairdist = o->pairdist};
    c->sign = o->entropy <= ENTROPY_VNE ? 1 : -1;
    c->logdet.normalise = c->pairdist.normalise = o->normalise;
    c->logdet.divide_by = c->pairdist.divide_by = by_d ? INVAR_ENTROPY_DIVIDE_D : INVAR_ENTROPY_DIVIDE_NONE;
    c->options = o->entropy == ENTROPY_LOGDET ? (const void *)&c->logdet : (const void *)&c->pairdist;
    if (o->entropy > ENTROPY_PAIRDIST)
        take_defaults(c, o->normalise);
}

static struct invar_embeddings one_view(const struct invar_embeddings *all, int view)
{
    struct invar_embeddings one = {.views = 1};

    one.by[INVAR_ROLE_Z][0] = all->by[INVAR_ROLE_Z][view];
    return one;
}

static bool entropy_invariance_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct entropy_invariance_options *o = call->options;
    struct chosen entropy;

    choose(o, &entropy);
    for (int v = 0; v < call->in->views; v++) {
        const struct invar_embeddings view = one_view(call->in, v);
        struct invar_embeddings by_view = {0};
        struct invar_term_call one = *call;
        if (call->gradient)
            by_view = one_view(call->gradient, v);
        one.in = &view;
        one.gradient = term_wanted(call->gradient, INVAR_ROLE_Z, v) ? &by_view : NULL;
        const int before = call->sum->count;
        if (!sum_add(entropy.term, &one, entropy.options, entropy_names[v], -o->weight_entropy * entropy.sign, err))
            return false;
        /* the part is the entropy, whatever the sign of the term */
        for (int i = before; i < call->sum->count; i++) {
            call->sum->entry[i].factor *= entropy.sign;
            call->sum->entry[i].constant *= entropy.sign;
            call->sum->entry[i].share *= entropy.sign;
        }
    }
    return sum_add(&invar_term_invariance, call, &o->invariance, "invariance", o->weight_invariance, err);
}

static bool entropy_invariance_reference(const void *options, const struct invar_embeddings *in,
                                         struct invar_term_value *out)
{
    const struct entropy_invariance_options *o = options;
    struct chosen entropy;

    choose(o, &entropy);
    *out = (struct invar_term_value){0};
    for (int v = 0; v < in->views; v++) {
        const struct invar_embeddings view = one_view(in, v);
        if (!sum_add_reference(entropy.term, entropy.options, &view, entropy_names[v],
                               -o->weight_entropy * entropy.sign, out))
            return false;
        out->part[out->count - 1].value *= entropy.sign;
    }
    return sum_add_reference(&invar_term_invariance, &o->invariance, in, "invariance", o->weight_invariance, out);
}

const struct invar_term_spec invar_term_entropy_invariance = {
    .name = "entropy_invariance",
    .help = "entropy of every view against the distance between views [I2]",
    .options = entropy_invariance_table,
    .options_size = sizeof(struct entropy_invariance_options),
    .roles = entropy_invariance_roles,
    .check = entropy_invariance_check,
    .evaluate = entropy_invariance_evaluate,
    .reference = entropy_invariance_reference,
};
