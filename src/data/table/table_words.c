/* SPDX-License-Identifier: Apache-2.0 */
/* Words of tables: categories and classes by their text, and lists of names in options. */
#include "data/table/table.h"

#include "invar/memory.h"
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A number of at most 15 digits, which a double holds, without signs and zeros before it, as codes have. */
static bool plain_number(const char *text, bool comma, double *value)
{
    const struct data_csv form = {.separator = comma ? ';' : ','};
    const char *digits = text + (*text == '-');

    if (digits[0] == '+' || *text == '+' || (digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9') ||
        strlen(text) > 17 || strspn(digits, "0123456789") > 15 || !data_csv_number(&form, text, value))
        return false;
    if (*value == 0)
        *value = 0; /* no negative zero */
    return isfinite(*value);
}

/* FNV-1a, of the value where the text is a number: 1, 1.0 and 1e0 are one word. */
static size_t hash(const char *text, bool comma)
{
    double value;
    uint64_t h = 14695981039346656037u;

    if (plain_number(text, comma, &value)) {
        unsigned char bytes[sizeof value];
        memcpy(bytes, &value, sizeof value);
        for (size_t i = 0; i < sizeof bytes; i++)
            h = (h ^ bytes[i]) * 1099511628211u;
        return (size_t)(h ^ (h >> 32));
    }
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    return (size_t)h;
}

static bool is_same(const char *a, const char *b, bool comma)
{
    double x, y;
    return strcmp(a, b) == 0 || (plain_number(a, comma, &x) && plain_number(b, comma, &y) && x == y);
}

bool data_value_same(const char *a, const char *b)
{
    return is_same(a, b, false);
}

/* Of the text, or the empty one where it belongs; there always is an empty one. */
static struct data_word *slot_of(const struct data_words *words, const char *text)
{
    size_t at = hash(text, words->comma) & (words->capacity - 1);
    while (words->slot[at].text && !is_same(words->slot[at].text, text, words->comma))
        at = (at + 1) & (words->capacity - 1);
    return &words->slot[at];
}

int64_t *data_words_find(const struct data_words *words, const char *text)
{
    struct data_word *word = words->capacity ? slot_of(words, text) : NULL;
    return word && word->text ? &word->number : NULL;
}

static bool grow(struct data_words *words, struct invar_error *err)
{
    struct data_words larger = {
        .capacity = words->capacity ? words->capacity * 2 : 64, .count = words->count, .comma = words->comma};

    larger.slot = invar_alloc(larger.capacity, sizeof *larger.slot, err);
    if (!larger.slot)
        return false;
    for (size_t i = 0; i < words->capacity; i++)
        if (words->slot[i].text)
            *slot_of(&larger, words->slot[i].text) = words->slot[i];
    invar_free(words->slot);
    *words = larger;
    return true;
}

int64_t *data_words_add(struct data_words *words, const char *text, struct invar_error *err)
{
    if (words->count * 2 >= words->capacity && !grow(words, err))
        return NULL;
    struct data_word *word = slot_of(words, text);
    if (!word->text) {
        word->text = text;
        words->count++;
    }
    return &word->number;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_value(const void *a, const void *b, void *csv)
{
    double x = 0, y = 0;
    data_csv_number(csv, *(const char *const *)a, &x);
    data_csv_number(csv, *(const char *const *)b, &y);
    return x < y ? -1 : x > y ? 1 : by_bytes(a, b);
}

const char **data_words_sort(struct data_words *words, const struct data_csv *csv, struct invar_error *err)
{
    const char **texts = invar_alloc(words->count + 1, sizeof *texts, err);
    struct data_csv form = *csv; /* what reads numbers takes no const */
    bool numbers = true;
    double value;
    size_t count = 0;

    if (!texts)
        return NULL;
    for (size_t i = 0; i < words->capacity; i++)
        if (words->slot[i].text) {
            texts[count++] = words->slot[i].text;
            numbers = numbers && data_csv_number(csv, words->slot[i].text, &value);
        }
    if (numbers)
        qsort_r(texts, count, sizeof *texts, by_value, &form);
    else
        qsort(texts, count, sizeof *texts, by_bytes);
    for (size_t i = 0; i < count; i++)
        *data_words_find(words, texts[i]) = (int64_t)i;
    return texts;
}

void data_words_free(struct data_words *words)
{
    invar_free(words->slot);
    *words = (struct data_words){0};
}

/* ---- lists ---- */

bool data_names_make(struct data_names *names, const char *list, struct invar_error *err)
{
    names->text = invar_strdup(list, err);
    names->name = invar_alloc(strlen(list) + 1, sizeof *names->name, err);
    if (!names->text || !names->name)
        return false;
    for (char *rest = names->text, *part; (part = strsep(&rest, ",")) != NULL;) {
        part += strspn(part, " \t");
        size_t length = strlen(part);
        while (length > 0 && strchr(" \t", part[length - 1]))
            part[--length] = '\0';
        if (*part)
            names->name[names->count++] = part;
    }
    return true;
}

void data_names_free(struct data_names *names)
{
    invar_free(names->text);
    invar_free(names->name);
    *names = (struct data_names){0};
}

bool data_names_match(const struct data_names *names, const char *name)
{
    for (int i = 0; i < names->count; i++)
        if (strcmp(names->name[i], name) == 0 || fnmatch(names->name[i], name, 0) == 0)
            return true;
    return false;
}
