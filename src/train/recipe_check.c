/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of a recipe that span sections: what one section asks for, another must provide. */
#include "train/recipe.h"

/* A width to check terms with where the encoder decides it. */
#define SOME_WIDTH 64

static unsigned roles_of(const struct invar_recipe *recipe, int i)
{
    return invar_objective_term(recipe->objective, i)->roles(invar_objective_options(recipe->objective, i));
}

static bool mixes_first_alone(const struct invar_view_options *views)
{
    const struct invar_real_list *mix = &views->mix;
    return mix->count > 1 && mix->value[0] > 0 && !(mix->value[1] > 0);
}

/* Every role that a term reads must have a source. */
static bool check_sources(const struct invar_recipe *recipe, const char *origin, struct invar_error *err)
{
    for (int i = 0; i < invar_objective_count(recipe->objective); i++) {
        const char *term = invar_objective_term(recipe->objective, i)->name;
        unsigned roles = roles_of(recipe, i);
        if ((roles & INVAR_ROLE_BIT(INVAR_ROLE_T)) && !recipe->target.enabled)
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s: terms.%s reads the target network, but target.enabled is false: set "
                                   "target.enabled=true, or choose options of the term that need no target",
                                   origin, term);
        if (roles & INVAR_ROLE_BIT(INVAR_ROLE_W))
            return invar_error_set(
                err, INVAR_ERROR_USAGE,
                "%s: terms.%s.predictor is linear, which reads files of weights: in a recipe use the "
                "terms reconstruction and orthonormality, and a predictor section",
                origin, term);
        if ((roles & INVAR_ROLE_GROUPS) && !recipe->data.group[0])
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s: terms.%s reads refinement groups, but data.group is not set: name a column of "
                                   "data.metadata with data.group=COLUMN, or set terms.%s.groups=false",
                                   origin, term, term);
        if ((roles & INVAR_ROLE_MIXTURE) && !mixes_first_alone(&recipe->views))
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s: terms.%s reads what view 1 was mixed of, and view 2 unmixed: set "
                                   "views.mix=[1, 0]",
                                   origin, term);
    }
    return true;
}

/* What nobody reads would be built, kept in memory, and never trained. */
static bool check_use(const struct invar_recipe *recipe, const char *origin, struct invar_error *err)
{
    unsigned roles = invar_objective_roles(recipe->objective);
    const unsigned h = INVAR_ROLE_BIT(INVAR_ROLE_H), q = INVAR_ROLE_BIT(INVAR_ROLE_Q);

    if (recipe->target.keep && !recipe->target.enabled)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: target.keep is true, but target.enabled is false: set target.enabled=true", origin);
    if (recipe->target.enabled && !recipe->target.keep && !(roles & INVAR_ROLE_BIT(INVAR_ROLE_T)))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: target.enabled is true, but no term reads the target network: choose options of a "
                               "term that use it (such as terms.relic.target=true), or set target.enabled=false",
                               origin);
    if (recipe->data.group[0] && !(roles & INVAR_ROLE_GROUPS))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: data.group is \"%s\", but no term reads refinement groups: set "
                               "terms.relic.groups=true, or leave data.group out",
                               origin, recipe->data.group);
    if (recipe->predictor.output > 0 && !(roles & q))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: there is a predictor, but no term reads its output: set predictor.output=0",
                               origin);
    if (recipe->projector.output > 0 && !(roles & INVAR_ROLE_MATRICES & ~(h | INVAR_ROLE_BIT(INVAR_ROLE_T))))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: there is a projector, but no term reads its output: set projector.output=0",
                               origin);
    return true;
}

static bool check_heads(const struct invar_recipe *recipe, const char *origin, struct invar_error *err)
{
    const struct invar_head_options *heads[] = {&recipe->projector, &recipe->predictor};
    static const char *const names[] = {"projector", "predictor"};
    bool target = invar_objective_roles(recipe->objective) & INVAR_ROLE_BIT(INVAR_ROLE_T);

    for (int i = 0; i < 2; i++)
        if (heads[i]->output == 0 && heads[i]->hidden.count > 0)
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s: %s.hidden is set, but %s.output is 0 (no %s): give the width of its output",
                                   origin, names[i], names[i], names[i]);
    if (target && recipe->predictor.output > 0 && recipe->projector.output > 0 &&
        recipe->predictor.output != recipe->projector.output)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: predictor.output is %lld, but it is compared with the target's projector.output of "
                               "%lld: make them equal",
                               origin, (long long)recipe->predictor.output, (long long)recipe->projector.output);
    return true;
}

static void present(struct invar_embeddings *in, enum invar_role role, int64_t rows, int64_t width)
{
    for (int v = 0; v < (role == INVAR_ROLE_T ? in->targets : in->views); v++)
        in->by[role][v] = (struct invar_matrix){.dtype = INVAR_FLOAT32, .rows = rows, .cols = width};
}

/* The terms' own checks, by shape: one view for a two-view term, a batch that is too small, ... */
static bool check_terms(const struct invar_recipe *recipe, const char *origin, struct invar_error *err)
{
    static const int64_t some_group = 0; /* ids are looked at only with data */
    static const double some_share = 1;
    struct invar_embeddings in = {.views = (int)invar_view_count(&recipe->views),
                                  .targets = (int)recipe->views.count,
                                  .groups = recipe->data.group[0] ? &some_group : NULL,
                                  .labels = &some_group,
                                  .partner = &some_group,
                                  .share = &some_share};
    struct invar_error own = {0};
    int64_t rows = recipe->training.batch;
    int64_t z = recipe->projector.output > 0 ? recipe->projector.output : SOME_WIDTH;

    present(&in, INVAR_ROLE_H, rows, SOME_WIDTH);
    present(&in, INVAR_ROLE_Z, rows, z);
    present(&in, INVAR_ROLE_Q, rows, recipe->predictor.output > 0 ? recipe->predictor.output : z);
    if (recipe->target.enabled)
        present(&in, INVAR_ROLE_T, rows, z);
    if (invar_objective_check(recipe->objective, &in, &own))
        return true;
    return invar_error_set(err, own.code, "%s: terms: %s (views.count is %d, views.local %lld, training.batch %lld)",
                           origin, own.message, in.targets, (long long)recipe->views.local, (long long)rows);
}

static bool check_views(const struct invar_recipe *recipe, const char *origin, struct invar_error *err)
{
    struct invar_error own = {0};

    return invar_view_options_check(&recipe->views, NULL, &own) ||
           invar_error_set(err, own.code, "%s: %s", origin, own.message);
}

bool invar_recipe_check(const struct invar_recipe *recipe, const char *origin, struct invar_error *err)
{
    return check_views(recipe, origin, err) && check_sources(recipe, origin, err) && check_use(recipe, origin, err) &&
           check_heads(recipe, origin, err) && check_terms(recipe, origin, err);
}
