/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of options: defaults, and settings read into a struct. */
#include "base/options.h"
#include "base/names.h"
#include "base/node.h"
#include "invar/log.h"
#include "base/points.h"
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LARGEST_EXACT_INTEGER 0x1p53
#define NAMES_LIMIT 128

const char *option_choice(const char *choices, int i, int *length)
{
    for (; choices; i--) {
        const char *end = strchr(choices, '|');
        *length = end ? (int)(end - choices) : (int)strlen(choices);
        if (i == 0)
            return choices;
        choices = end ? end + 1 : NULL;
    }
    return NULL;
}

bool option_find(const struct invar_option *table, const char *key, size_t length, struct invar_option *found)
{
    struct invar_option own;

    for (const struct invar_option *option = table; option->name; option++) {
        if (option->kind == INVAR_OPTION_PART) {
            if (!option_find(option->choices, key, length, &own))
                continue;
            own.offset += option->offset;
        } else if (strlen(option->name) != length || memcmp(option->name, key, length) != 0) {
            continue;
        } else if (option->kind == INVAR_OPTION_RENAMED) {
            return option_find(table, option->choices, strlen(option->choices), found);
        } else {
            own = *option;
        }
        if (found)
            *found = own;
        return true;
    }
    return false;
}

/* ---- scalars ---- */

static bool parse_real(const struct invar_node *node, double *out)
{
    NUMBERS_HAVE_POINTS();
    const char *text = node->text;
    /* strtod also takes hexadecimal, inf and nan. */
    if (node->kind != NODE_SCALAR || node->quoted || !*text || text[strspn(text, "+-.0123456789eE")])
        return false;
    char *end = NULL;
    *out = strtod(text, &end);
    return end != text && !*end && isfinite(*out);
}

static bool parse_int(const struct invar_node *node, int64_t *out)
{
    double real;
    if (!parse_real(node, &real))
        return false;
    char *end = NULL;
    errno = 0;
    *out = strtoll(node->text, &end, 10);
    if (!*end)
        return errno == 0;
    if (real != floor(real) || fabs(real) > LARGEST_EXACT_INTEGER)
        return false;
    *out = (int64_t)real;
    return true;
}

static bool parse_bool(const struct invar_node *node, bool *out)
{
    if (node->kind != NODE_SCALAR || node->quoted)
        return false;
    bool yes = strcasecmp(node->text, "true") == 0 || strcasecmp(node->text, "yes") == 0;
    bool no = strcasecmp(node->text, "false") == 0 || strcasecmp(node->text, "no") == 0;
    if (yes || no)
        *out = yes;
    return yes || no;
}

static bool parse_text(const struct invar_node *node, char *out)
{
    if (node->typed) {
        if (strlen(node->typed) >= INVAR_TEXT_SIZE)
            return false;
        strcpy(out, node->typed);
        return true;
    }
    if (node->kind != NODE_SCALAR || strlen(node->text) >= INVAR_TEXT_SIZE)
        return false;
    strcpy(out, node_is_null(node) ? "" : node->text);
    return true;
}

/* A choice that is a number ("2") may also be written another way ("2.0"). */
static bool is_choice(const struct invar_node *node, const char *choice, int length)
{
    NUMBERS_HAVE_POINTS();
    double written, named;
    char *end = NULL;
    if ((int)strlen(node->text) == length && strncmp(node->text, choice, (size_t)length) == 0)
        return true;
    if (!parse_real(node, &written))
        return false;
    named = strtod(choice, &end);
    return end == choice + length && named == written;
}

static bool parse_choice(const struct invar_node *node, const char *choices, int *out)
{
    int length = 0;
    const char *choice;
    for (int i = 0; node->kind == NODE_SCALAR && (choice = option_choice(choices, i, &length)); i++)
        if (is_choice(node, choice, length)) {
            *out = i;
            return true;
        }
    return false;
}

/* The word that a number may be instead. */
static bool is_word(const struct invar_option *option, const struct invar_node *node)
{
    return option->choices && node->kind == NODE_SCALAR && !node->quoted && strcmp(node->text, option->choices) == 0;
}

static bool in_range(const struct invar_option *option, double value)
{
    bool bounded = option->minimum != 0 || option->maximum != 0;
    return !bounded || (value >= option->minimum && value <= option->maximum);
}

/* ---- fields ---- */

static const struct invar_node *list_element(const struct invar_node *node, int i)
{
    return node->kind == NODE_SEQUENCE ? node->children[i].node : node;
}

static int list_count(const struct invar_node *node)
{
    return node->kind == NODE_SEQUENCE ? node->count : 1;
}

static bool parse_int_list(const struct invar_option *option, const struct invar_node *node, struct invar_int_list *out)
{
    struct invar_int_list list = {.count = list_count(node)};
    if (list.count > INVAR_LIST_SIZE)
        return false;
    for (int i = 0; i < list.count; i++)
        if (!parse_int(list_element(node, i), &list.value[i]) || !in_range(option, (double)list.value[i]))
            return false;
    *out = list;
    return true;
}

static bool parse_real_list(const struct invar_option *option, const struct invar_node *node,
                            struct invar_real_list *out)
{
    struct invar_real_list list = {.count = list_count(node)};
    if (list.count > INVAR_LIST_SIZE)
        return false;
    for (int i = 0; i < list.count; i++)
        if (!parse_real(list_element(node, i), &list.value[i]) || !in_range(option, list.value[i]))
            return false;
    *out = list;
    return true;
}

/* Sets the field when the node is what the option accepts; otherwise false, with the field as it was. */
static bool set_field(const struct invar_option *option, void *object, const struct invar_node *node)
{
    void *field = (char *)object + option->offset;
    int64_t integer;
    double real;
    switch (option->kind) {
    case INVAR_OPTION_INT:
        if (!parse_int(node, &integer) || !in_range(option, (double)integer))
            return false;
        *(int64_t *)field = integer;
        return true;
    case INVAR_OPTION_REAL:
        if (is_word(option, node))
            real = 0;
        else if (!parse_real(node, &real) || !in_range(option, real))
            return false;
        *(double *)field = real;
        return true;
    case INVAR_OPTION_BOOL:
        return parse_bool(node, field);
    case INVAR_OPTION_TEXT:
        return parse_text(node, field);
    case INVAR_OPTION_CHOICE:
        return parse_choice(node, option->choices, field);
    case INVAR_OPTION_INT_LIST:
        return parse_int_list(option, node, field);
    case INVAR_OPTION_REAL_LIST:
        return parse_real_list(option, node, field);
    case INVAR_OPTION_RENAMED:
    case INVAR_OPTION_PART:
        break;
    }
    return false;
}

/* "0.2", "adamw", "\"2\"": a scalar over the text, whose quotes go. */
static struct invar_node default_scalar(char *text)
{
    size_t length = strlen(text);
    const bool quoted = length >= 2 && *text == '"' && text[length - 1] == '"';
    if (quoted)
        text[length - 1] = '\0';
    return (struct invar_node){.kind = NODE_SCALAR, .text = text + quoted, .quoted = quoted};
}

/* Defaults are read without any memory: one that could not be had would leave a 0 that nobody chose. */
static bool set_default(const struct invar_option *option, void *object)
{
    char text[INVAR_TEXT_SIZE];
    struct invar_node element[INVAR_LIST_SIZE], list = {.kind = NODE_SEQUENCE};
    struct node_child children[INVAR_LIST_SIZE];

    if ((size_t)snprintf(text, sizeof text, "%s", option->initial) >= sizeof text)
        return false;
    if (*text != '[') {
        struct invar_node node = default_scalar(text);
        return set_field(option, object, &node);
    }
    list.children = children;
    for (char *at = text + 1; *(at += strspn(at, " ,]")) && list.count < INVAR_LIST_SIZE; list.count++) {
        char *end = at + strcspn(at, " ,]");
        char *next = *end ? end + 1 : end;
        *end = '\0';
        element[list.count] = default_scalar(at);
        children[list.count] = (struct node_child){.node = &element[list.count]};
        at = next;
    }
    return set_field(option, object, &list);
}

void invar_options_default(const struct invar_option *table, void *object)
{
    for (; table->name; table++) {
        if (table->kind == INVAR_OPTION_PART)
            invar_options_default(table->choices, (char *)object + table->offset);
        bool ok = table->kind == INVAR_OPTION_PART || table->kind == INVAR_OPTION_RENAMED || set_default(table, object);
        assert(ok && "the default in an option table is what the option accepts");
        (void)ok;
    }
}

void option_set_default(const struct invar_option *option, void *object)
{
    set_default(option, object);
}

bool option_is_default(const struct invar_option *option, const void *object)
{
    static const size_t sizes[] = {
        [INVAR_OPTION_INT] = sizeof(int64_t),
        [INVAR_OPTION_REAL] = sizeof(double),
        [INVAR_OPTION_BOOL] = sizeof(bool),
        [INVAR_OPTION_CHOICE] = sizeof(int),
    };
    union {
        char text[INVAR_TEXT_SIZE];
        struct invar_int_list ints;
        struct invar_real_list reals;
        double align;
    } own = {.text = ""};
    const void *field = (const char *)object + option->offset;
    struct invar_option alone = *option;

    alone.offset = 0;
    if (!set_default(&alone, &own))
        return false;
    if (option->kind == INVAR_OPTION_TEXT)
        return strcmp(own.text, field) == 0;
    if (option->kind == INVAR_OPTION_INT_LIST)
        return own.ints.count == ((const struct invar_int_list *)field)->count &&
               memcmp(own.ints.value, ((const struct invar_int_list *)field)->value,
                      (size_t)own.ints.count * sizeof *own.ints.value) == 0;
    if (option->kind == INVAR_OPTION_REAL_LIST)
        return own.reals.count == ((const struct invar_real_list *)field)->count &&
               memcmp(own.reals.value, ((const struct invar_real_list *)field)->value,
                      (size_t)own.reals.count * sizeof *own.reals.value) == 0;
    return memcmp(&own, field, sizes[option->kind]) == 0;
}

/* ---- messages ---- */

static void format_found(char *out, size_t size, const struct invar_node *node)
{
    if (node->kind == NODE_MAPPING)
        snprintf(out, size, "a section");
    else if (node->kind == NODE_SEQUENCE)
        snprintf(out, size, "a list of %d", node->count);
    else if (node_is_null(node))
        snprintf(out, size, "nothing");
    else
        snprintf(out, size, node->quoted ? "the text \"%.80s\"" : "%.80s", node->text);
}

/* A list that could be one says what is in it; another, how long it is. */
static void format_list(char *out, size_t size, const struct invar_node *node)
{
    size_t used = (size_t)snprintf(out, size, "[");

    for (int i = 0; i < node->count && used < size; i++) {
        const struct invar_node *element = list_element(node, i);
        char text[100];
        format_found(text, sizeof text, element);
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", text);
    }
    if (used < size)
        snprintf(out + used, size - used, "]");
}

static bool refuse_value(const struct invar_option *option, const struct invar_node *node, const char *path,
                         struct invar_error *err)
{
    char where[NODE_WHERE_SIZE], expected[OPTION_EXPECTED_SIZE], found[128];
    node_where(where, node);
    option_expected(expected, option);
    if (node->kind == NODE_SEQUENCE && node->count <= INVAR_LIST_SIZE &&
        (option->kind == INVAR_OPTION_INT_LIST || option->kind == INVAR_OPTION_REAL_LIST))
        format_list(found, sizeof found, node);
    else
        format_found(found, sizeof found, node);
    if (node->typed && node_is_null(node))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: %s%s%s: expected %s, found nothing; write %s%s%s=null to go back to the default",
                               where, path, *path ? "." : "", option->name, expected, path, *path ? "." : "",
                               option->name);
    return invar_error_set(err, INVAR_ERROR_USAGE, "%s: %s%s%s: expected %s, found %s", where, path, *path ? "." : "",
                           option->name, expected, found);
}

/* Adds the names of the table, and of its parts. */
static int collect_own(const struct invar_option *table, const char **names, int count)
{
    for (; table->name && count < NAMES_LIMIT; table++)
        if (table->kind == INVAR_OPTION_PART)
            count = collect_own(table->choices, names, count);
        else if (table->kind != INVAR_OPTION_RENAMED)
            names[count++] = table->name;
    return count;
}

/* Names of the table and of what is read elsewhere, NULL-ended. */
static void collect_names(const struct invar_option *table, const char *const *ignored, const char **names)
{
    int count = collect_own(table, names, 0);
    for (; ignored && *ignored && count < NAMES_LIMIT; ignored++)
        names[count++] = *ignored;
    names[count] = NULL;
}

static bool refuse_key(const struct invar_option *table, const char *const *ignored, const struct invar_node *node,
                       const char *key, const char *path, struct invar_error *err)
{
    char where[NODE_WHERE_SIZE], hint[NAMES_HINT_SIZE];
    const char *names[NAMES_LIMIT + 1];
    node_where(where, node);
    collect_names(table, ignored, names);
    names_hint(hint, NAMES_TEXTS("key", names), key);
    return invar_error_set(err, INVAR_ERROR_USAGE, "%s: %s%s%.80s is not a known key%s", where, path, *path ? "." : "",
                           key, hint);
}

/* ---- what a program has set itself ---- */

/* Writes what is wrong with the field into `found`, or leaves it empty. */
static void check_field(const struct invar_option *option, const void *field, char *found, size_t size)
{
    const struct invar_int_list *ints = field;
    const struct invar_real_list *reals = field;
    const bool is_ints = option->kind == INVAR_OPTION_INT_LIST, is_reals = option->kind == INVAR_OPTION_REAL_LIST;
    int length;

    found[0] = '\0';
    if (option->kind == INVAR_OPTION_INT && !in_range(option, (double)*(const int64_t *)field))
        snprintf(found, size, "%lld", (long long)*(const int64_t *)field);
    if (option->kind == INVAR_OPTION_REAL && !(option->choices && *(const double *)field == 0) &&
        (!isfinite(*(const double *)field) || !in_range(option, *(const double *)field)))
        snprintf(found, size, "%g", *(const double *)field);
    if (option->kind == INVAR_OPTION_TEXT && !memchr(field, '\0', INVAR_TEXT_SIZE))
        snprintf(found, size, "text without an end");
    if (option->kind == INVAR_OPTION_CHOICE &&
        (*(const int *)field < 0 || !option_choice(option->choices, *(const int *)field, &length)))
        snprintf(found, size, "choice number %d", *(const int *)field);
    if ((is_ints || is_reals) && (ints->count < 0 || ints->count > INVAR_LIST_SIZE)) {
        snprintf(found, size, "%d", ints->count);
        return;
    }
    for (int i = 0; is_ints && i < ints->count; i++)
        if (!in_range(option, (double)ints->value[i]))
            snprintf(found, size, "%lld", (long long)ints->value[i]);
    for (int i = 0; is_reals && i < reals->count; i++)
        if (!isfinite(reals->value[i]) || !in_range(option, reals->value[i]))
            snprintf(found, size, "%g", reals->value[i]);
}

bool invar_options_check(const struct invar_option *table, const void *object, const char *path,
                         struct invar_error *err)
{
    char expected[OPTION_EXPECTED_SIZE], found[64];

    for (; table->name; table++) {
        if (table->kind == INVAR_OPTION_PART &&
            !invar_options_check(table->choices, (const char *)object + table->offset, path, err))
            return false;
        if (table->kind == INVAR_OPTION_PART || table->kind == INVAR_OPTION_RENAMED)
            continue;
        check_field(table, (const char *)object + table->offset, found, sizeof found);
        if (!found[0])
            continue;
        option_expected(expected, table);
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s%s%s: expected %s, found %s", path, *path ? "." : "",
                               table->name, expected, found);
    }
    return true;
}

/* ---- reading ---- */

static bool is_ignored(const char *key, const char *const *ignored)
{
    for (; ignored && *ignored; ignored++)
        if (strcmp(*ignored, key) == 0)
            return true;
    return false;
}

static void warn_of_former_name(const struct invar_option *option, const struct invar_node *node, const char *key,
                                const char *path)
{
    char where[NODE_WHERE_SIZE];
    if (node->origin && !*node->origin) /* read once more by the program, for itself */
        return;
    node_where(where, node);
    invar_log(INVAR_LOG_WARNING,
              "%s: %s%s%s is called %s now: write that, the next version does not know the former name", where, path,
              *path ? "." : "", key, option->name);
}

static bool read_key(const struct invar_option *table, void *object, const struct invar_node *node, const char *key,
                     const char *path, const char *const *ignored, struct invar_error *err)
{
    struct invar_option option;
    if (!option_find(table, key, strlen(key), &option))
        return is_ignored(key, ignored) || refuse_key(table, ignored, node, key, path, err);
    if (strcmp(option.name, key) != 0)
        warn_of_former_name(&option, node, key, path);
    return set_field(&option, object, node) || refuse_value(&option, node, path, err);
}

/* A document that names one option twice, by both its names, is refused as one with a doubled key is. What the command
 * line adds comes last, and holds. */
static bool check_former_names(const struct invar_option *table, const struct invar_node *mapping, const char *path,
                               struct invar_error *err)
{
    for (int i = 0; i < mapping->count; i++) {
        const char *key = mapping->children[i].key;
        struct invar_option option;
        const struct invar_node *other =
            option_find(table, key, strlen(key), &option) ? invar_node_get(mapping, option.name) : NULL;
        if (other && other != mapping->children[i].node && other->line && mapping->children[i].node->line)
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s:%d: %s%s%s is called %s now, which is given too: leave one", other->origin,
                                   mapping->children[i].node->line, path, *path ? "." : "", key, option.name);
    }
    return true;
}

bool invar_options_read(const struct invar_option *table, void *object, const struct invar_node *mapping,
                        const char *path, const char *const *ignored, struct invar_error *err)
{
    if (!mapping || node_is_null(mapping))
        return true;
    path = path ? path : "";
    if (mapping->kind != NODE_MAPPING) {
        char where[NODE_WHERE_SIZE], found[128];
        node_where(where, mapping);
        format_found(found, sizeof found, mapping);
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s: %s: expected a section of keys and values, found %s", where,
                               *path ? path : "the document", found);
    }
    if (!check_former_names(table, mapping, path, err))
        return false;
    for (int i = 0; i < mapping->count; i++)
        if (!read_key(table, object, mapping->children[i].node, mapping->children[i].key, path, ignored, err))
            return false;
    return true;
}

/* KEY=null: the object may hold another value than the default. */
static void reset(const struct invar_option *table, void *object, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    if (!equals || strcmp(equals, "=null") != 0)
        return;
    struct invar_option option;
    if (option_find(table, assignment, (size_t)(equals - assignment), &option))
        set_default(&option, object);
}

bool invar_options_set(const struct invar_option *table, void *object, const char *assignment, struct invar_error *err)
{
    struct invar_node *root = node_create(NODE_MAPPING, NULL, "command line", 0, err);
    if (!root)
        return false;
    bool ok = invar_node_override(root, assignment, err) && invar_options_read(table, object, root, "", NULL, err);
    if (ok)
        reset(table, object, assignment);
    invar_node_free(root);
    return ok;
}
