/* SPDX-License-Identifier: Apache-2.0 */
/* What an inspection takes from the resolved recipe of a run. */
#include "cli/inspect.h"
#include "invar/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 4096 };

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

/*
 * r = beta * weight of the entropy / weight of the invariance, where the first is divided by d and the second by N d,
 * as both are by default (calibrated in that form). LogDet of norm(z) has no scale to lose.
 */
static void read_logdet(const struct invar_node *terms, struct inspect_recipe *out)
{
    const struct invar_node *logdet = invar_node_get(terms, "logdet"), *pull = invar_node_get(terms, "invariance");
    const struct invar_node *both = invar_node_get(terms, "entropy_invariance");
    double entropy = 0, invariance = 0;

    if (logdet && !is(logdet, "normalize", "true")) {
        out->logdet_beta = number(logdet, "beta", 0);
        if (pull && !is(logdet, "divide_by", "none") && !is(pull, "divide_by", "n")) {
            entropy = -number(logdet, "weight", 0);
            invariance = number(pull, "weight", 0);
        }
    } else if (both && is(both, "entropy", "logdet") && !is(both, "normalize", "true")) {
        out->logdet_beta = number(both, "beta", 0);
        if (is(both, "divide_by", "auto") || is(both, "divide_by", "d")) {
            entropy = number(both, "weight_entropy", 0);
            invariance = number(both, "weight_invariance", 0);
        }
    }
    if (entropy > 0 && invariance > 0)
        out->logdet_share = out->logdet_beta * entropy / invariance;
}

bool inspect_recipe_read(const char *folder, struct inspect_recipe *out, struct invar_error *err)
{
    char path[PATH_SIZE];

    *out = (struct inspect_recipe){0};
    if (!invar_path_join(path, sizeof path, folder, "recipe.yaml", err))
        return false;
    if (!invar_path_exists(path))
        return true;
    struct invar_node *root = invar_node_read(path, err);
    if (!root)
        return false;
    invar_options_default(invar_view_option_table, &out->views);
    out->found =
        invar_options_read(invar_view_option_table, &out->views, invar_node_get(root, "views"), "views", NULL, err);
    out->projector = number(invar_node_get(root, "projector"), "output", 0) != 0;
    const struct invar_node *adversary = invar_node_get(root, "adversary");
    out->adversary = invar_node_get(adversary, "kind") && !is(adversary, "kind", "none");
    read_logdet(invar_node_get(root, "terms"), out);
    invar_node_free(root);
    return out->found;
}
