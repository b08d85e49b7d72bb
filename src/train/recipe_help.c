/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the schema of recipes says about one topic. The schema is text with a structure of its own: sections begin in
 * the first column, kinds and terms of a section two columns in, options stand below what they belong to. A line that
 * others belong to has its help right behind its name ("  # "), that of an option stands further right.
 */
#include "base/names.h"
#include "invar/memory.h"
#include "invar/train.h"

#include <stdio.h>
#include <string.h>

enum { NAME = 96, MOST_NAMES = 1000 };

/* A line of the schema. */
struct line {
    const char *text;
    size_t length;
    int indent;
    char name[NAME];    /* of the section, kind, term or option that it begins */
    char section[NAME]; /* that it stands in, or begins */
    bool group;         /* other lines, indented further, belong to it */
    bool kind;          /* "kind: NAME" of a section that has several */
};

/* The line at `at`; false at the end. The section of the last line is that of this one, unless it begins another.
 * Topics are found in the text of the schema and not in the tables, so that help cannot say anything that the schema
 * does not. */
static bool read_line(const char *at, struct line *line)
{
    const char *text = at + (line->indent = (int)strspn(at, " "));
    size_t length = strcspn(text, ": \n");

    if (!*at)
        return false;
    line->text = at;
    line->length = strcspn(at, "\n");
    line->group = strncmp(text + length + (text[length] == ':'), "  # ", 4) == 0;
    line->kind = strncmp(text, "kind: ", 6) == 0 && strncmp(text + 6 + strcspn(text + 6, " "), "  # ", 4) == 0;
    if (line->kind) {
        text += 6;
        length = strcspn(text, " ");
        line->group = true;
    }
    snprintf(line->name, sizeof line->name, "%.*s", (int)length, text);
    if (line->indent == 0)
        snprintf(line->section, sizeof line->section, "%s", line->group ? line->name : "");
    return true;
}

/* "crop", "views", "views.crop", or "encoder.kind". A name may stand in several sections (weight_decay does): all of
 * them are told, unless the topic says which. */
static bool is_about(const struct line *line, const char *topic)
{
    const size_t section = strlen(line->section);

    if (strcmp(line->name, topic) == 0)
        return true;
    return section && strncmp(topic, line->section, section) == 0 && topic[section] == '.' &&
           (strcmp(topic + section + 1, line->name) == 0 || (line->kind && strcmp(topic + section + 1, "kind") == 0));
}

/* The line as the schema has it, so that defaults, ranges and help stand where `invar recipes schema` has them. */
static bool put(const struct line *line, struct invar_text *out, struct invar_error *err)
{
    return invar_text_printf(out, err, "%.*s\n", (int)line->length, line->text);
}

/* Lines about the topic, each under the lines of the section and of the kind or term that it stands in, which are
 * said once: an option of several terms ("tau") then shows whose it is. Whoever asks for one option sees the section
 * and the kind that it belongs to as well, since the name alone may be of several. */
static bool collect(const char *schema, const char *topic, struct invar_text *out, struct invar_error *err)
{
    struct line line = {0}, section = {0}, group = {0};
    int whole = -1; /* lines indented further than this belong to what was found */
    bool ok = true, said_section = false, said_group = false;

    for (const char *at = schema; ok && read_line(at, &line); at += line.length + (at[line.length] == '\n')) {
        if (line.length == 0)
            continue;
        if (line.indent == 0) {
            section = line;
            said_section = false;
        }
        if (line.indent <= 2) {
            group = line;
            said_group = false;
        }
        if (whole >= 0 && line.indent > whole) {
            ok = put(&line, out, err);
            continue;
        }
        whole = -1;
        if (!is_about(&line, topic))
            continue;
        if (line.indent > 0 && !said_section)
            ok = put(&section, out, err);
        if (line.indent > 2 && !said_group)
            ok = ok && put(&group, out, err);
        ok = ok && put(&line, out, err);
        said_section = said_group = true;
        whole = line.group ? line.indent : -1;
    }
    return ok;
}

/* The names of the schema, of all its lines or of its sections alone, each in a text of its own; their number. */
static int list_names(const char *schema, bool sections, const char **names, char (*text)[NAME])
{
    struct line line = {0};
    int count = 0;

    for (const char *at = schema; count < MOST_NAMES && read_line(at, &line);
         at += line.length + (at[line.length] == '\n'))
        if (line.length && (!sections || (line.indent == 0 && line.group)))
            names[count] = strcpy(text[count], line.name), count++;
    return count;
}

/* Every name of the schemas is one that may have been meant: sections, kinds, terms and options alike, and others.
 * Where none is, the sections are told, as each lists what is in it. */
static bool refuse(const char *schemas, const char *const *others, const char *topic, struct invar_error *err)
{
    const char **names = invar_alloc(MOST_NAMES + 1, sizeof *names, err);
    char(*text)[NAME] = invar_alloc(MOST_NAMES, sizeof *text, err);
    const char *dot = strrchr(topic, '.');

    topic = dot && dot[1] ? dot + 1 : topic;
    if (names && text) {
        int count = list_names(schemas, false, names, text);
        for (; others && *others && count < MOST_NAMES; others++)
            names[count++] = *others;
        names[count] = NULL;
        if (!invar_nearest_name(topic, names))
            names[list_names(schemas, true, names, text)] = NULL;
        names_find(NAMES_TEXTS("verb, section, term or option", names), NULL, topic, err);
    }
    invar_free(names);
    invar_free(text);
    return false;
}

bool invar_recipe_help(const char *topic, const char *agents, const char *const *others, struct invar_text *out,
                       struct invar_error *err)
{
    struct invar_text schema = {0}, own = {0};
    const size_t before = out->size;
    bool ok = invar_recipe_schema(&schema, err) && collect(schema.data, topic, out, err) &&
              (!agents || collect(agents, topic, &own, err));

    if (ok && own.size)
        ok = invar_text_printf(out, err, "%sIn recipes of agents:\n%s", out->size > before ? "\n" : "", own.data);
    ok = ok && (out->size > before || (invar_text_printf(&schema, err, "\n%s", agents ? agents : "") &&
                                       refuse(schema.data, others, topic, err)));
    invar_text_free(&own);
    invar_text_free(&schema);
    return ok;
}
