/* SPDX-License-Identifier: Apache-2.0 */
/* Which runs differ in the seed alone, in what the others differ, and what the groups are called. */
#include "report/compare_parts.h"
#include "train/recipe.h"

#include <stdio.h>
#include <string.h>

static bool is_identity(const struct report_run *run, const char *key)
{
    return strcmp(key, "training.seed") == 0 || strcmp(key, "name") == 0 || (run->agent && recipe_is_indifferent(key));
}

/* Recipes of one version have their options in one order, so the place in the other is the place to look first. */
static const char *value_of(const struct report_run *run, const char *key, int likely)
{
    if (likely < run->setting_count && strcmp(run->setting[likely].key, key) == 0)
        return run->setting[likely].value;
    return report_run_setting(run, key);
}

/* Every option of a, the environment's id too or not, has the same value in b. */
static bool covered(const struct report_run *a, const struct report_run *b, bool game)
{
    for (int i = 0; i < a->setting_count; i++) {
        const char *other = value_of(b, a->setting[i].key, i);
        if (!game && strcmp(a->setting[i].key, "env.id") == 0)
            continue;
        if (!is_identity(a, a->setting[i].key) && (!other || strcmp(other, a->setting[i].value) != 0))
            return false;
    }
    return true;
}

static bool same(const struct report_run *a, const struct report_run *b, bool game)
{
    return a->setting_count > 0 && b->setting_count > 0 && covered(a, b, game) && covered(b, a, game);
}

static bool same_but_seed(const struct report_run *a, const struct report_run *b)
{
    return same(a, b, true);
}

bool comparison_same_but_game(const struct report_run *a, const struct report_run *b)
{
    return a == b || same(a, b, false);
}

static bool add_to_group(struct comparison *c, int run, struct invar_error *err)
{
    int g = 0;
    while (g < c->group_count && !same_but_seed(c->run[c->group[g].run[0]], c->run[run]))
        g++;
    struct comparison_group *group = &c->group[g];
    if (g == c->group_count) {
        group->run = comparison_take(c, c->run_count, sizeof *group->run, err);
        if (!group->run)
            return false;
        c->group_count++;
    }
    group->run[group->run_count++] = run;
    return true;
}

static const struct report_run *first_run(const struct comparison *c, int group)
{
    return c->run[c->group[group].run[0]];
}

const char *comparison_setting(const struct comparison *c, int group, const char *key)
{
    const char *value = report_run_setting(first_run(c, group), key);
    return value ? value : "-";
}

static bool is_listed(const struct comparison *c, const char *key)
{
    for (int k = 0; k < c->key_count; k++)
        if (strcmp(c->key[k], key) == 0)
            return true;
    return false;
}

/* Options that differ between any two groups, in the order of the recipes. */
static bool find_keys(struct comparison *c, struct invar_error *err)
{
    int capacity = 0;
    for (int g = 0; g < c->group_count; g++)
        capacity += first_run(c, g)->setting_count;
    c->key = comparison_take(c, capacity, sizeof *c->key, err);
    for (int g = 0; c->key && g < c->group_count; g++)
        for (int i = 0; i < first_run(c, g)->setting_count; i++) {
            const struct run_setting *setting = &first_run(c, g)->setting[i];
            bool differs = false;
            for (int other = 0; other < c->group_count && !differs; other++) {
                const char *value = value_of(first_run(c, other), setting->key, i);
                differs = first_run(c, other)->recipe && (!value || strcmp(value, setting->value) != 0);
            }
            if (differs && !is_identity(first_run(c, g), setting->key) && !is_listed(c, setting->key))
                c->key[c->key_count++] = setting->key;
        }
    return c->key != NULL;
}

/* A group whose name is another's too is told apart by the options in which those of that name differ. */
static const char *name_group(struct comparison *c, int group, bool game, struct invar_error *err)
{
    enum { FEW = 3 };
    const char *name = first_run(c, group)->name;
    struct invar_text text = {0};
    int count = 0, twins = 0;
    bool ok = invar_text_printf(&text, err, "%s", name);

    for (int k = 0; ok && k < c->key_count; k++) {
        const char *own = comparison_setting(c, group, c->key[k]), *dot = strrchr(c->key[k], '.');
        bool differs = false;
        for (int g = 0; g < c->group_count && (game || strcmp(c->key[k], "env.id") != 0); g++)
            differs |=
                strcmp(first_run(c, g)->name, name) == 0 && strcmp(comparison_setting(c, g, c->key[k]), own) != 0;
        if (differs && ++count <= FEW)
            ok = invar_text_printf(&text, err, " %s=%s", dot ? dot + 1 : c->key[k], own);
    }
    for (int g = 0; g < c->group_count; g++)
        twins += strcmp(first_run(c, g)->name, name) == 0;
    if (ok && count > FEW && twins > 1)
        ok = invar_text_printf(&text, err, " ... (%s)", first_run(c, group)->label);
    else if (ok && game && count == 0 && twins > 1) /* runs without a recipe */
        ok = invar_text_printf(&text, err, " (%s)", first_run(c, group)->folder);
    const char *kept = ok ? comparison_text_of(c, err, "%s", text.data) : NULL;
    invar_text_free(&text);
    return kept;
}

const char *comparison_arm_name(struct comparison *c, int group, struct invar_error *err)
{
    return name_group(c, group, false, err);
}

bool comparison_form_groups(struct comparison *c, struct invar_error *err)
{
    c->group = comparison_take(c, c->run_count, sizeof *c->group, err);
    if (!c->group)
        return false;
    for (int r = 0; r < c->run_count; r++)
        if (!add_to_group(c, r, err))
            return false;
    if (!find_keys(c, err))
        return false;
    for (int g = 0; g < c->group_count; g++)
        if (!(c->group[g].name = name_group(c, g, true, err)))
            return false;
    return true;
}
