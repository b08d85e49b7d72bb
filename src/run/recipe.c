/* SPDX-License-Identifier: Apache-2.0 */
/* What those who measure take from the recipe of a run. */
#include "run/recipe.h"
#include "invar/expert/objective.h"
#include "train/recipe_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct invar_recipe *invar_run_recipe(const char *folder, const char *const *settings, int count,
                                      struct invar_error *err)
{
    return recipe_file_load(folder, settings, count, err);
}

/* A number of a mapping; fallback where there is none. */
static double number(const struct invar_node *mapping, const char *key, double fallback)
{
    const struct invar_node *node = invar_node_get(mapping, key);
    const char *text = node ? invar_node_text(node) : NULL;
    char *end = NULL;
    const double value = text ? strtod(text, &end) : fallback;
    return text && end != text && !*end ? value : fallback;
}

static bool is(const struct invar_node *mapping, const char *key, const char *word)
{
    const struct invar_node *node = invar_node_get(mapping, key);
    const char *text = node ? invar_node_text(node) : NULL;
    return text && strcmp(text, word) == 0;
}

static bool is_normalised(const struct invar_node *term)
{
    return is(term, "normalise", "true") || is(term, "normalize", "true"); /* its former name */
}

/* LogDet's beta, where it sees the scale of z; norm(z) has none to lose. */
static double read_beta(const struct invar_node *terms)
{
    const struct invar_node *logdet = invar_node_get(terms, "logdet");
    const struct invar_node *both = invar_node_get(terms, "entropy_invariance");

    if (logdet && !is_normalised(logdet))
        return number(logdet, "beta", 0);
    return both && is(both, "entropy", "logdet") && !is_normalised(both) ? number(both, "beta", 0) : 0;
}

/* r by the rule of training: by the terms themselves, the number of views and the width of z. */
static bool read_share(const struct invar_node *terms, const struct run_recipe *recipe, int64_t width, double *r,
                       struct invar_error *err)
{
    struct invar_logdet_share share;
    struct invar_objective *objective = terms ? invar_objective_create(terms, err) : NULL;

    if (objective && width > 0 &&
        invar_objective_logdet_share(objective, (int)invar_view_count(&recipe->views), width, &share))
        *r = share.r;
    invar_objective_free(objective);
    return !terms || objective;
}

bool run_recipe_read(const char *folder, struct run_recipe *out, struct invar_error *err)
{
    struct invar_node *root;

    *out = (struct run_recipe){0};
    if (!recipe_file_node(folder, &root, err))
        return false;
    if (!root)
        return true;
    invar_options_default(invar_view_option_table, &out->views);
    out->found =
        invar_options_read(invar_view_option_table, &out->views, invar_node_get(root, "views"), "views", NULL, err);
    out->projector = number(invar_node_get(root, "projector"), "output", 0) != 0;
    const struct invar_node *adversary = invar_node_get(root, "adversary");
    out->adversary = invar_node_get(adversary, "kind") && !is(adversary, "kind", "none");
    const struct invar_node *terms = invar_node_get(root, "terms");
    const int64_t width = (int64_t)number(invar_node_get(root, "projector"), "output", 0);
    out->logdet_beta = read_beta(terms);
    const bool ok = out->found && read_share(terms, out, width, &out->logdet_share, err);
    invar_node_free(root);
    return ok;
}
