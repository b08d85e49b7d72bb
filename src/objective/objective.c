/* SPDX-License-Identifier: Apache-2.0 */
/* The weighted sum of terms: the `terms:` section of a recipe, a mapping NAME: {weight: 1, option: value, ...}. */
#include "objective/term.h"

#include "base/node.h"

#include <stdio.h>
#include <string.h>

#define MAX_OPTIONS 32
#define OPTIONS_AT 16 /* where the options of a term begin behind its weight, aligned for anything */

/* one summand: weight and options in one object, described by one table, so that messages know all keys */
struct summand {
    const struct invar_term_spec *term;
    struct invar_option table[MAX_OPTIONS];
    char *object;
};

struct invar_objective {
    int count;
    struct summand *summands;
};

static double weight_of(const struct summand *s)
{
    return *(const double *)(const void *)s->object;
}

static bool summand_read(struct summand *s, const char *name, const struct invar_node *node, struct invar_error *err)
{
    const char *text = invar_node_text(node);
    char path[128];

    s->term = invar_term_find(name, err);
    if (!s->term)
        return false;
    s->table[0] = (struct invar_option){
        .name = "weight", .kind = INVAR_OPTION_REAL, .initial = "1", .minimum = -1e9, .maximum = 1e9, .help = "factor"};
    for (int i = 0; s->term->options[i].name && i + 2 < MAX_OPTIONS; i++) {
        s->table[i + 1] = s->term->options[i];
        s->table[i + 1].offset += OPTIONS_AT;
    }
    s->object = invar_alloc(1, OPTIONS_AT + s->term->options_size, err);
    if (!s->object)
        return false;
    invar_options_default(s->table, s->object);
    if (text && (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0))
        return true;
    snprintf(path, sizeof path, "terms.%s", name);
    return invar_options_read(s->table, s->object, node, path, NULL, err);
}

static bool check_weights(const struct invar_objective *objective, const struct invar_node *terms,
                          struct invar_error *err)
{
    char where[NODE_WHERE_SIZE];

    for (int i = 0; i < objective->count; i++)
        if (weight_of(&objective->summands[i]) != 0)
            return true;
    node_where(where, terms);
    return invar_error_set(err, INVAR_ERROR_USAGE,
                           "%s: every term has weight 0, so nothing would be trained: set one of them", where);
}

struct invar_objective *invar_objective_create(const struct invar_node *terms, struct invar_error *err)
{
    struct invar_objective *objective = NULL;

    if (!invar_node_is_mapping(terms) || invar_node_count(terms) == 0) {
        char where[NODE_WHERE_SIZE];
        node_where(where, terms);
        invar_error_set(err, INVAR_ERROR_USAGE,
                        "%s: terms must be a mapping with at least one term, such as \"relic: {weight: 1, tau: 0.1}\"",
                        where);
        return NULL;
    }
    objective = invar_alloc(1, sizeof *objective, err);
    if (!objective)
        return NULL;
    objective->summands = invar_alloc((size_t)invar_node_count(terms), sizeof *objective->summands, err);
    if (!objective->summands)
        goto failed;
    for (int i = 0; i < invar_node_count(terms); i++) {
        objective->count++;
        if (!summand_read(&objective->summands[i], invar_node_key(terms, i), invar_node_child(terms, i), err))
            goto failed;
    }
    if (!check_weights(objective, terms, err))
        goto failed;
    return objective;
failed:
    invar_objective_free(objective);
    return NULL;
}

void invar_objective_free(struct invar_objective *objective)
{
    if (!objective)
        return;
    for (int i = 0; i < objective->count; i++)
        invar_free(objective->summands[i].object);
    invar_free(objective->summands);
    invar_free(objective);
}

int invar_objective_count(const struct invar_objective *objective)
{
    return objective->count;
}

const struct invar_term_spec *invar_objective_term(const struct invar_objective *objective, int i)
{
    return objective->summands[i].term;
}

const void *invar_objective_options(const struct invar_objective *objective, int i)
{
    return objective->summands[i].object + OPTIONS_AT;
}

double invar_objective_weight(const struct invar_objective *objective, int i)
{
    return weight_of(&objective->summands[i]);
}

unsigned invar_objective_roles(const struct invar_objective *objective)
{
    unsigned mask = 0;

    for (int i = 0; i < objective->count; i++)
        mask |= objective->summands[i].term->roles(invar_objective_options(objective, i));
    return mask;
}

int64_t invar_objective_width(const struct invar_objective *objective, int64_t input, struct invar_error *err)
{
    const struct invar_term_spec *first = NULL;
    int64_t width = -1;

    for (int i = 0; i < objective->count; i++) {
        const struct invar_term_spec *term = objective->summands[i].term;
        const int64_t own = term->width ? term->width(invar_objective_options(objective, i), input) : -1;
        if (own < 0)
            continue;
        if (first && own != width) {
            invar_error_set(err, INVAR_ERROR_USAGE,
                            "projector.output is -1, but %s needs z to be %lld wide and %s %lld: leave one out",
                            first->name, (long long)width, term->name, (long long)own);
            return -1;
        }
        first = term;
        width = own;
    }
    if (!first)
        invar_error_set(err, INVAR_ERROR_USAGE,
                        "projector.output is -1, but no term says how wide z must be: give its width");
    return width;
}

bool invar_objective_check(const struct invar_objective *objective, const struct invar_embeddings *in,
                           struct invar_error *err)
{
    for (int i = 0; i < objective->count; i++)
        if (!objective->summands[i].term->check(invar_objective_options(objective, i), in, err))
            return false;
    return true;
}

bool invar_objective_write(const struct invar_objective *objective, int indent, struct invar_text *out,
                           struct invar_error *err)
{
    for (int i = 0; i < objective->count; i++) {
        const struct summand *s = &objective->summands[i];
        if (!invar_text_printf(out, err, "%*s%s:\n", indent, "", s->term->name) ||
            !invar_options_write(s->table, s->object, indent + 2, out, err))
            return false;
    }
    return true;
}
