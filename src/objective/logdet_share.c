/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The share r of LogDet [I3] against the squared distance between views [V1]. A direction of variance s and share of
 * view noise nu adds - (1/2) we log(1 + beta s) for every view and wi 2 nu s for every pair of views to d times the
 * loss. Near s = 0 that falls with s, so that the direction grows, while nu < we V beta / (4 wi P) = r / 2.
 */
#include "objective/term.h"

#include <string.h>

/* what the summands amount to with divide_by d and nd */
struct slopes {
    double entropy;    /* we V beta */
    double invariance; /* wi P */
    bool held;         /* something else holds the scale of z */
    int views;
    double d;
};

static const struct invar_option *find(const struct invar_objective *objective, int i, const char *name)
{
    const struct invar_option *option = invar_objective_term(objective, i)->options;

    while (strcmp(option->name, name) != 0)
        option++;
    return option;
}

static double real(const struct invar_objective *objective, int i, const char *name)
{
    const char *options = invar_objective_options(objective, i);
    return *(const double *)(const void *)(options + find(objective, i, name)->offset);
}

static bool flag(const struct invar_objective *objective, int i, const char *name)
{
    const char *options = invar_objective_options(objective, i);
    return *(const bool *)(const void *)(options + find(objective, i, name)->offset);
}

/* Is the choice the one of that name ("nd" of "nd|n")? */
static bool chosen(const struct invar_objective *objective, int i, const char *name, const char *choice)
{
    const struct invar_option *option = find(objective, i, name);
    const char *options = invar_objective_options(objective, i), *at = option->choices;

    for (int k = *(const int *)(const void *)(options + option->offset); k > 0; k--)
        at = strchr(at, '|') + 1;
    const size_t length = strcspn(at, "|");
    return length == strlen(choice) && strncmp(at, choice, length) == 0;
}

static double pairs(const struct slopes *s, bool mean)
{
    return mean ? 1 : s->views * (s->views - 1) / 2.0;
}

static double entropy_of_logdet(const struct invar_objective *o, int i, const struct slopes *s)
{
    if (flag(o, i, "normalise"))
        return 0;
    return -invar_objective_weight(o, i) * real(o, i, "beta") * (chosen(o, i, "over_views", "sum") ? s->views : 1) *
           (chosen(o, i, "divide_by", "none") ? s->d : 1);
}

static double entropy_of_both(const struct invar_objective *o, int i, const struct slopes *s)
{
    if (flag(o, i, "normalise") || !chosen(o, i, "entropy", "logdet"))
        return 0;
    return invar_objective_weight(o, i) * real(o, i, "weight_entropy") * real(o, i, "beta") * s->views *
           (chosen(o, i, "divide_by", "none") ? s->d : 1);
}

static double invariance_of_both(const struct invar_objective *o, int i, const struct slopes *s)
{
    if (flag(o, i, "invariance_normalise"))
        return 0;
    return invar_objective_weight(o, i) * real(o, i, "weight_invariance") * pairs(s, false) *
           (chosen(o, i, "invariance_divide_by", "n") ? s->d : 1);
}

static double invariance_alone(const struct invar_objective *o, int i, const struct slopes *s)
{
    if (flag(o, i, "normalise"))
        return 0;
    return invar_objective_weight(o, i) * pairs(s, flag(o, i, "normalise_pairs")) *
           (chosen(o, i, "divide_by", "n") ? s->d : 1);
}

static double invariance_of_vicreg(const struct invar_objective *o, int i, const struct slopes *s)
{
    return invar_objective_weight(o, i) * real(o, i, "lambda") * pairs(s, flag(o, i, "normalise_pairs")) *
           (chosen(o, i, "divide_by", "n") ? s->d : 1);
}

static void add(const struct invar_objective *o, int i, struct slopes *s, struct invar_logdet_share *out)
{
    const char *term = invar_objective_term(o, i)->name;
    const double weight = invar_objective_weight(o, i);

    if (strcmp(term, "logdet") == 0) {
        s->entropy += entropy_of_logdet(o, i, s);
        out->entropy = "terms.logdet.weight";
    } else if (strcmp(term, "entropy_invariance") == 0) {
        s->entropy += entropy_of_both(o, i, s);
        s->invariance += invariance_of_both(o, i, s);
        out->entropy = "terms.entropy_invariance.weight_entropy";
        out->invariance = "terms.entropy_invariance.weight_invariance";
        out->weight_invariance = real(o, i, "weight_invariance");
    } else if (strcmp(term, "invariance") == 0) {
        s->invariance += invariance_alone(o, i, s);
        out->invariance = "terms.invariance.weight";
        out->weight_invariance = weight;
    } else if (strcmp(term, "vicreg") == 0) {
        s->invariance += invariance_of_vicreg(o, i, s);
        s->held = s->held || weight * real(o, i, "mu") > 0;
        out->invariance = "terms.vicreg.lambda";
        out->weight_invariance = real(o, i, "lambda");
    } else if (strcmp(term, "variance") == 0) {
        s->held = s->held || weight > 0;
    }
}

bool invar_objective_logdet_share(const struct invar_objective *objective, int views, int64_t d,
                                  struct invar_logdet_share *out)
{
    struct slopes s = {.views = views, .d = (double)d};

    *out = (struct invar_logdet_share){0};
    for (int i = 0; i < invar_objective_count(objective); i++)
        add(objective, i, &s, out);
    if (s.held || !(s.entropy > 0) || !(s.invariance > 0))
        return false;
    out->r = s.entropy / (2 * s.invariance);
    return true;
}
