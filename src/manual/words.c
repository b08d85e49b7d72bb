/* SPDX-License-Identifier: Apache-2.0 */
/* Options with their values, out of the text that says what they are. */
#include "manual/manual.h"
#include "invar/memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_NAME = 80, SECTION = 96, PREFIX = SECTION + LONGEST_NAME + 2 }; /* bytes */

static void add(struct manual_words *words, const char *prefix, const char *name, size_t length, const char *values,
                const char *help, size_t help_length)
{
    struct manual_word *word = realloc(words->word, (size_t)(words->count + 1) * sizeof *word);

    if (!word)
        return;
    words->word = word;
    word += words->count++;
    *word = (struct manual_word){0};
    if (asprintf(&word->key, "%s%.*s", prefix, (int)length, name) < 0 || !(word->values = strdup(values)) ||
        !(word->help = strndup(help, help_length)))
        words->count--;
}

void manual_words_free(struct manual_words *words)
{
    for (int i = 0; i < words->count; i++) {
        free(words->word[i].key);
        free(words->word[i].values);
        free(words->word[i].help);
    }
    free(words->word);
    *words = (struct manual_words){0};
}

static struct manual_word *find(struct manual_words *words, const char *prefix, const char *name, size_t length)
{
    const size_t before = strlen(prefix);

    for (int i = 0; i < words->count; i++)
        if (strncmp(words->word[i].key, prefix, before) == 0 && strlen(words->word[i].key) == before + length &&
            strncmp(words->word[i].key + before, name, length) == 0)
            return &words->word[i];
    return NULL;
}

/* "one of a, b; ..." and "true or false; ..." */
static void read_values(const char *what, char *out, size_t size)
{
    size_t used = 0;

    *out = '\0';
    if (strncmp(what, "true or false", 13) == 0)
        snprintf(out, size, "true false");
    if (strncmp(what, "one of ", 7) != 0)
        return;
    for (const char *at = what + 7; *at && *at != ';' && *at != '\n' && used + 2 < size; at++)
        if (*at != ',')
            out[used++] = *at;
    out[used] = '\0';
}

/* A value that a kind may have, added to those of SECTION.kind. */
static void add_kind(struct manual_words *words, const char *prefix, const char *name, size_t length)
{
    struct manual_word *word = find(words, prefix, "kind", 4);
    char *values;

    if (!word)
        add(words, prefix, "kind", 4, "", "which one", 9);
    word = find(words, prefix, "kind", 4);
    if (!word || asprintf(&values, "%s%s%.*s", word->values, *word->values ? " " : "", (int)length, name) < 0)
        return;
    free(word->values);
    word->values = values;
}

/* One line, and what stands before the keys of those after it. */
static void read_line(struct manual_words *words, const char *line, bool sections, char section[SECTION],
                      char prefix[PREFIX])
{
    const size_t indent = strspn(line, " "), end = strcspn(line, "\n");
    const char *name = line + indent, *what = memmem(line, end, " # ", 3);
    const size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    const bool colon = name[length] == ':';
    char values[512];

    if (!length || length > LONGEST_NAME || !what || (!sections && (!indent || !colon)))
        return;
    const bool head = strncmp(name + length + colon, "  # ", 4) == 0;
    if (sections && indent == 0) {
        snprintf(section, SECTION, "%.*s.", head ? (int)length : 0, head ? name : "");
        snprintf(prefix, PREFIX, "%s", head ? section : "");
    }
    if (sections && indent == 2)
        snprintf(prefix, PREFIX, "%s", section);
    if (sections && indent == 2 && colon && strncmp(name, "kind: ", 6) == 0 &&
        strncmp(name + 6 + strcspn(name + 6, " "), "  # ", 4) == 0) {
        add_kind(words, prefix, name + 6, strcspn(name + 6, " "));
        return;
    }
    if (sections && head && indent == 2) {
        snprintf(prefix, PREFIX, "%s%.*s.", section, (int)length, name);
        add(words, prefix, "weight", 6, "", "of the term", 11);
    }
    if (!colon || (sections && head) || find(words, prefix, name, length))
        return;
    read_values(what + 3, values, sizeof values);
    add(words, prefix, name, length, values, what + 3, (size_t)(line + end - what) - 3);
}

void manual_words_read(struct manual_words *words, const char *text, bool sections)
{
    char section[SECTION] = "", prefix[PREFIX] = "";

    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        read_line(words, line, sections, section, prefix);
}

const char *manual_option_values(const struct cli_usage *usage, const struct cli_option *option, char *out, size_t size)
{
    char wanted[96];
    size_t used = 0;

    snprintf(wanted, sizeof wanted, "--%s ", option->name);
    const char *at = strstr(usage->arguments, wanted);
    at = at ? at + strlen(wanted) : "";
    const size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789-|");
    if (memchr(at, '|', length) && (at[length] == ']' || at[length] == ' ' || !at[length]))
        for (size_t i = 0; i < length && used + 1 < size; i++)
            out[used++] = at[i] == '|' ? ' ' : at[i];
    out[used] = '\0';
    return out;
}
