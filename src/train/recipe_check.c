/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of a recipe that span sections: what one section asks for, another must provide. */
#include "train/recipe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A width to check terms with where the encoder decides it. */
#define SOME_WIDTH 64

static unsigned roles_of(const struct invar_recipe *recipe, int i)
{
    return invar_objective_term(recipe->objective, i)->roles(invar_objective_options(recipe->objective, i));
}

/* A term that reads the mixture compares view 0, which is mixed, with rows of view 1, which must be whole samples. */
static bool mixes_first_alone(const struct invar_view_options *views)
{
    const struct invar_real_list *mix = &views->mix;
    return mix->count > 1 && mix->value[0] > 0 && !(mix->value[1] > 0);
}

/* A mask that is always empty would make every target 0, and a term that is trained at nothing looks well. */
static bool changes_columns(const struct invar_view_options *views)
{
    bool any = false;
    for (int i = 0; i < INVAR_LIST_SIZE; i++)
        any = any || (i < views->table.corrupt.count && views->table.corrupt.value[i] > 0) ||
              (i < views->blank.count && views->blank.value[i] > 0);
    return any;
}

/* Every role that a term reads must have a source. Each refusal names the key that would help, not the role: people
 * write recipes, terms read roles. */
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
        if ((roles & INVAR_ROLE_BIT(INVAR_ROLE_M)) && !changes_columns(&recipe->views))
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s: terms.%s reads which columns or places were changed: set views.corrupt "
                                   "(tables) or views.blank to a probability, such as 0.3",
                                   origin, term);
        if ((roles & INVAR_ROLE_CLEAN) && !recipe->views.clean)
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s: terms.%s takes view 1 for the clean sample: set views.clean=true, or other "
                                   "options of the term",
                                   origin, term);
        if (invar_objective_term(recipe->objective, i)->width && recipe->projector.output != -1)
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s: terms.%s decides how wide z is by the width of the data: set "
                                   "projector.output=-1",
                                   origin, term);
        if ((roles & INVAR_ROLE_MIXTURE) && !mixes_first_alone(&recipe->views))
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s: terms.%s reads what view 1 was mixed of, and view 2 unmixed: set "
                                   "views.mix=[1, 0]",
                                   origin, term);
    }
    return true;
}

/* What nobody reads would be built, kept in memory, and never trained. Such a part would cost time and memory in
 * every step, and whoever wrote it down expects it to do something. */
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
    if (recipe->target.keep && recipe->classifier.enabled)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: classifier.enabled is true, which reads the trained encoder, but with target.keep "
                               "encoder.safetensors holds the target network's: set one of them to false",
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
    if (recipe->projector.output != 0 && !(roles & INVAR_ROLE_MATRICES & ~(h | INVAR_ROLE_BIT(INVAR_ROLE_T))))
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

    if (recipe->predictor.output < 0)
        return invar_error_set(
            err, INVAR_ERROR_USAGE,
            "%s: predictor.output is -1, but only a projector's width follows from the terms: give a "
            "width, or 0 for no predictor",
            origin);
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

/* The terms' own checks, by shape: one view for a two-view term, a batch that is too small, ... With shapes alone:
 * the recipe is checked before any data are opened, so that a mistake costs no minute of decoding. Where the encoder
 * decides a width, any will do, as terms compare widths with one another. */
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
    int64_t z = recipe->projector.output > 0   ? recipe->projector.output
                : recipe->predictor.output > 0 ? recipe->predictor.output
                                               : SOME_WIDTH;
    if (recipe->projector.output < 0 && (z = invar_objective_width(recipe->objective, SOME_WIDTH, &own)) < 0)
        return invar_error_set(err, own.code, "%s: %s", origin, own.message);

    present(&in, INVAR_ROLE_H, rows, SOME_WIDTH);
    present(&in, INVAR_ROLE_Z, rows, z);
    present(&in, INVAR_ROLE_Q, rows, recipe->predictor.output > 0 ? recipe->predictor.output : z);
    present(&in, INVAR_ROLE_X, rows, SOME_WIDTH);
    present(&in, INVAR_ROLE_M, rows, SOME_WIDTH);
    if (recipe->target.enabled)
        present(&in, INVAR_ROLE_T, rows, z);
    if (invar_objective_check(recipe->objective, &in, &own))
        return true;
    return invar_error_set(err, own.code, "%s: terms: %s (views.count is %d, views.local %lld, training.batch %lld)",
                           origin, own.message, in.targets, (long long)recipe->views.local, (long long)rows);
}

/* ---- the adversary ---- */

/* Whole names: "relic" must not find "relic_x". */
static bool names_term(const char *list, const char *name)
{
    const size_t length = strlen(name);

    for (const char *at = list; *at; at += strcspn(at, ", "), at += strspn(at, ", "))
        if (strcspn(at, ", ") == length && strncmp(at, name, length) == 0)
            return true;
    return false;
}

static bool is_perturbed(const struct invar_recipe *recipe, int view)
{
    const struct invar_int_list *views = &recipe->adversary.views;

    for (int k = 0; k < views->count; k++)
        if (views->value[k] == view)
            return true;
    return false;
}

bool recipe_ascends(const struct invar_recipe *recipe, int i)
{
    const char *list = recipe->adversary.terms;

    return !list[0] || names_term(list, invar_objective_term(recipe->objective, i)->name);
}

/* A term of weight 0 is measured and does not train, so the generator gets nothing from it. */
static bool reads_perturbed(const struct invar_recipe *recipe, int i)
{
    const struct invar_term_spec *term = invar_objective_term(recipe->objective, i);

    for (int role = 0; role < INVAR_ROLE_T; role++)
        for (int view = 0; view < (int)recipe->views.count; view++)
            if (is_perturbed(recipe, view) && invar_objective_weight(recipe->objective, i) != 0 &&
                invar_term_reads(term, invar_objective_options(recipe->objective, i), (enum invar_role)role, view))
                return true;
    return false;
}

/* With one backward pass the gradient at the input is that of all terms; only where none is to be left out is that
 * the generator's too, turned round. */
bool recipe_ascends_apart(const struct invar_recipe *recipe)
{
    for (int i = 0; i < invar_objective_count(recipe->objective); i++)
        if (reads_perturbed(recipe, i) && !recipe_ascends(recipe, i))
            return true;
    return false;
}

/* Local views have another size, which the generator, made for one, cannot take. */
static bool check_perturbed_views(const struct invar_recipe *recipe, const char *origin, struct invar_error *err)
{
    const struct invar_int_list *views = &recipe->adversary.views;

    for (int k = 0; k < views->count; k++) {
        if (views->value[k] >= recipe->views.count)
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s: adversary.views names view %lld, but views.count is %lld: views are counted "
                                   "from 0, and local ones are not perturbed",
                                   origin, (long long)views->value[k], (long long)recipe->views.count);
        for (int l = 0; l < k; l++)
            if (views->value[l] == views->value[k])
                return invar_error_set(err, INVAR_ERROR_USAGE, "%s: adversary.views names view %lld twice", origin,
                                       (long long)views->value[k]);
    }
    return views->count > 0 || invar_error_set(err, INVAR_ERROR_USAGE,
                                               "%s: adversary.views is empty, so nothing would be perturbed: name a "
                                               "view, or set adversary.kind=none",
                                               origin);
}

/* Zero terms would train the generator at nothing and the run would look like one with an adversary. */
static bool check_ascended_terms(const struct invar_recipe *recipe, const char *origin, struct invar_error *err)
{
    const char *list = recipe->adversary.terms;
    char name[64];
    int ascended = 0;

    for (const char *at = list; *at; at += strcspn(at, ", "), at += strspn(at, ", ")) {
        bool known = false;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, ", "), at);
        for (int i = 0; i < invar_objective_count(recipe->objective); i++)
            known = known || strcmp(invar_objective_term(recipe->objective, i)->name, name) == 0;
        if (!known)
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s: adversary.terms names %s, which is not among terms: name terms of this recipe, "
                                   "by commas",
                                   origin, name);
    }
    for (int i = 0; i < invar_objective_count(recipe->objective); i++)
        ascended += reads_perturbed(recipe, i) && recipe_ascends(recipe, i);
    return ascended > 0 || invar_error_set(err, INVAR_ERROR_USAGE,
                                           "%s: no term%s reads a perturbed view, so there is nothing that the "
                                           "adversary could ascend: choose other adversary.views or terms",
                                           origin, list[0] ? " of adversary.terms" : "");
}

/* More steps on a batch evaluate its terms more often, and what a term keeps counts batches. */
static bool check_steps(const struct invar_recipe *recipe, const char *origin, struct invar_error *err)
{
    for (int i = 0; recipe->adversary.steps > 1 && i < invar_objective_count(recipe->objective); i++)
        if (invar_objective_term(recipe->objective, i)->state_size)
            return invar_error_set(
                err, INVAR_ERROR_USAGE,
                "%s: adversary.steps is %lld, and terms.%s keeps something from batch to batch, which "
                "more passes would change: set adversary.steps=1",
                origin, (long long)recipe->adversary.steps, invar_objective_term(recipe->objective, i)->name);
    return adversary_trained(recipe) || recipe->adversary.steps == 1 ||
           invar_error_set(err, INVAR_ERROR_USAGE,
                           "%s: adversary.steps is %lld, but no generator is trained: set adversary.steps=1", origin,
                           (long long)recipe->adversary.steps);
}

/* Its budget and its clamp are of pixels in 0 to 1, which the encoder then sees as they are. */
static bool check_viewmaker(const struct invar_recipe *recipe, const char *origin, struct invar_error *err)
{
    const struct invar_real_list *mean = &recipe->data.mean, *deviation = &recipe->data.deviation;
    bool pixels = mean->count > 0 && deviation->count > 0;

    if (strcmp(recipe->adversary.kind, "viewmaker") != 0)
        return true;
    for (int i = 0; i < mean->count; i++)
        pixels = pixels && mean->value[i] == 0;
    for (int i = 0; i < deviation->count; i++)
        pixels = pixels && deviation->value[i] == 1;
    return pixels || invar_error_set(err, INVAR_ERROR_USAGE,
                                     "%s: adversary.kind is viewmaker, which works on pixels of 0 to 1: set data.mean "
                                     "to 0 and data.deviation to 1 for every channel, data.mean=[0] and "
                                     "data.deviation=[1] of gray images",
                                     origin);
}

/* Which generator suits is known with the data; that the name is one of them is known here. */
static bool check_adversary(const struct invar_recipe *recipe, const char *origin, struct invar_error *err)
{
    static const struct invar_shape some_shape = {.rank = 1, .channels = 1, .height = 1, .width = 1};
    const char *kind = recipe->adversary.kind;
    struct invar_error own = {0};

    if (strcmp(kind, "none") == 0)
        return true;
    if (strcmp(kind, "noise") != 0 && !invar_generator_find(kind, some_shape, &own))
        return invar_error_set(err, own.code, "%s: %s", origin, own.message);
    for (int i = 0; i < invar_objective_count(recipe->objective); i++) {
        const char *term = invar_objective_term(recipe->objective, i)->name;
        if ((strcmp(term, "reconstruction") == 0 || strcmp(term, "aplr") == 0) && is_perturbed(recipe, 0))
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s: adversary.views names view 0, which terms.%s takes for the clean one: set "
                                   "adversary.views=[1]",
                                   origin, term);
    }
    return check_perturbed_views(recipe, origin, err) && check_ascended_terms(recipe, origin, err) &&
           check_steps(recipe, origin, err) && check_viewmaker(recipe, origin, err);
}

/* Without the data, which a view's own check asks again once they are open. */
static bool check_views(const struct invar_recipe *recipe, const char *origin, struct invar_error *err)
{
    struct invar_error own = {0};

    return invar_view_options_check(&recipe->views, NULL, &own) ||
           invar_error_set(err, own.code, "%s: %s", origin, own.message);
}

/* Rounded as the trainer rounds it, or the two would disagree at the edge. With 0 steps the length is not known yet
 * (it follows from epochs and the data), and the trainer asks again. */
bool recipe_check_warmup(const struct invar_recipe *recipe, const char *origin, int64_t total, struct invar_error *err)
{
    const int64_t steps = llround(recipe->training.warmup * (double)total);

    return steps < total || total < 1 ||
           invar_error_set(
               err, INVAR_ERROR_USAGE,
               "%s: training.warmup is %g, so that all of the %lld step%s would be warm-up and the rate would "
               "never come down: make the run longer (training.epochs, training.steps), or set "
               "training.warmup=0",
               origin, recipe->training.warmup, (long long)total, total == 1 ? "" : "s");
}

/* From the parts to the whole: terms are checked once their sources are there, the adversary once terms are sound. */
bool recipe_check(const struct invar_recipe *recipe, const char *origin, struct invar_error *err)
{
    return check_views(recipe, origin, err) && check_sources(recipe, origin, err) && check_use(recipe, origin, err) &&
           recipe_check_warmup(recipe, origin, recipe->training.steps, err) && check_heads(recipe, origin, err) &&
           check_terms(recipe, origin, err) && check_adversary(recipe, origin, err);
}

bool adversary_enabled(const struct invar_recipe *recipe)
{
    return strcmp(recipe->adversary.kind, "none") != 0;
}

bool adversary_is_noise(const struct invar_recipe *recipe)
{
    return strcmp(recipe->adversary.kind, "noise") == 0;
}

/* A frozen generator perturbs and never learns: it is an ablation, and needs no gradient of the input. */
bool adversary_trained(const struct invar_recipe *recipe)
{
    return adversary_enabled(recipe) && !adversary_is_noise(recipe) && !recipe->adversary.frozen;
}

bool adversary_apart(const struct invar_recipe *recipe)
{
    return adversary_trained(recipe) && recipe_ascends_apart(recipe);
}
