/* SPDX-License-Identifier: Apache-2.0 */
/* `invar sweep`: options with several values, and the runs that they make. */
#include "study/sweep.h"
#include "base/points.h"
#include "invar/memory.h"
#include "invar/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_VALUES = 1000, NAME_LIMIT = 200 };

/* The values of one option. */
struct values {
    const char *key; /* up to its '=' */
    int key_length, count;
    char *value[MOST_VALUES];
};

static bool add_value(struct values *values, struct invar_error *err, const char *text, size_t length)
{
    if (values->count == MOST_VALUES)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%.*s has more than %d values", values->key_length, values->key,
                               MOST_VALUES);
    char *value = invar_alloc(length + 1, 1, err);
    if (!value)
        return false;
    memcpy(value, text, length);
    values->value[values->count++] = value;
    return true;
}

/* Numbers FIRST..LAST, and how they are spaced: all whole numbers where nothing says. */
struct range {
    double first, last;
    enum { EVERY, LINEAR, LOG } spacing;
    long count;
};

/* What stands behind FIRST..LAST: "", "(log, 5)" or "(linear, 5)". */
static bool read_spacing(struct range *range, const char *text)
{
    char word[8];
    int end = 0;

    if (!text[strspn(text, " ")]) {
        range->count = range->last - range->first < MOST_VALUES ? (long)(range->last - range->first) + 1 : 0;
        return range->count && range->first == floor(range->first) && range->last == floor(range->last);
    }
    if (sscanf(text, " ( %7[a-z] , %4ld ) %n", word, &range->count, &end) != 2 || !end || text[end])
        return false;
    range->spacing = strcmp(word, "log") == 0 ? LOG : LINEAR;
    return range->count >= 2 && range->count <= MOST_VALUES &&
           (range->spacing == LOG ? range->first > 0 : strcmp(word, "linear") == 0);
}

static double range_value(const struct range *range, long i)
{
    const double part = (double)i / (double)(range->count - 1);

    if (i == range->count - 1)
        return range->last;
    return range->spacing == LOG ? range->first * pow(range->last / range->first, part)
                                 : range->first + (range->last - range->first) * part;
}

static bool add_range(struct values *values, const char *text, bool *is_range, struct invar_error *err)
{
    NUMBERS_HAVE_POINTS();
    char *end, number[40] = "";
    const char *dots = strstr(text, "..");
    const size_t length = dots ? (size_t)(dots - text) : 0;
    struct range range = {0};

    *is_range = dots && length > 0 && length < sizeof number && strspn(text, "0123456789.+-eE") >= length + 2;
    if (!*is_range)
        return true;
    memcpy(number, text, length); /* apart, as "1." is a number, too */
    range.first = strtod(number, &end);
    const bool plain = !*end;
    range.last = strtod(dots + 2, &end);
    if (!plain || end == dots + 2 || !(range.last > range.first && range.last - range.first < 1e300) ||
        !read_spacing(&range, end))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%.*s: \"%.80s\" is no range; expected FIRST..LAST of whole numbers, FIRST..LAST (log, "
                               "COUNT) of positive numbers at equal ratios or FIRST..LAST (linear, COUNT), up to %d",
                               values->key_length, values->key, text, MOST_VALUES);
    for (long i = 0; i < range.count; i++) {
        snprintf(number, sizeof number, range.spacing == EVERY ? "%.0f" : "%.6g", range_value(&range, i));
        if (!add_value(values, err, number, strlen(number)))
            return false;
    }
    return true;
}

/* Between commas that stand in no brackets and no quotes. */
static bool add_list(struct values *values, const char *text, struct invar_error *err)
{
    int depth = 0;
    char quote = '\0';
    const char *from = text;

    for (const char *at = text;; at++) {
        if (quote ? *at == quote : *at == '"' || *at == '\'')
            quote = quote ? '\0' : *at;
        depth += !quote && (*at == '[' || *at == '{');
        depth -= !quote && (*at == ']' || *at == '}');
        if (*at && (*at != ',' || depth > 0 || quote))
            continue;
        if (!add_value(values, err, from, (size_t)(at - from)))
            return false;
        if (!*at)
            return true;
        from = at + 1;
    }
}

static bool read_values(struct values *values, const char *setting, struct invar_error *err)
{
    const char *equals = strchr(setting, '=');
    bool is_range = false;

    *values = (struct values){.key = setting, .key_length = (int)strcspn(setting, "=")};
    if (!equals)
        return invar_error_set(err, INVAR_ERROR_USAGE, "\"%.80s\": expected KEY=VALUES", setting);
    return add_range(values, equals + 1, &is_range, err) && (is_range || add_list(values, equals + 1, err));
}

/* What a file may be called: no slashes, no long texts. */
static bool name_run(struct study_sweep_run *run, const struct values *values, int keys, struct invar_error *err)
{
    struct invar_text name = {0};
    bool ok = true;

    for (int k = 0; ok && k < keys; k++)
        if (values[k].count > 1)
            ok = invar_text_printf(&name, err, "%s%s", name.size ? "," : "", run->setting[k]);
    ok = ok && (name.size || invar_text_printf(&name, err, "run"));
    for (char *at = name.data; ok && *at; at++)
        *at = *at == '/' ? '_' : *at;
    if (ok && name.size > NAME_LIMIT)
        ok = invar_error_set(err, INVAR_ERROR_USAGE,
                             "the values \"%.60s...\" are too long for the name of a folder, which has up to %d "
                             "characters: sweep fewer options at once",
                             name.data, NAME_LIMIT);
    run->name = ok ? invar_strdup(name.data, err) : NULL;
    invar_text_free(&name);
    return run->name != NULL;
}

/* Run number `number`, whose last option changes fastest. */
static bool make_run(struct study_sweep_run *run, const struct values *values, int keys, int number,
                     struct invar_error *err)
{
    for (int k = keys - 1; k >= 0; k--) {
        struct invar_text text = {0};
        const bool ok = invar_text_printf(&text, err, "%.*s=%s", values[k].key_length, values[k].key,
                                          values[k].value[number % values[k].count]);
        run->setting[k] = ok ? invar_strdup(text.data, err) : NULL;
        invar_text_free(&text);
        if (!run->setting[k])
            return false;
        number /= values[k].count;
    }
    return name_run(run, values, keys, err);
}

static bool check_names(const struct study_sweep *sweep, struct invar_error *err)
{
    for (int i = 0; i < sweep->count; i++)
        for (int j = 0; j < i; j++)
            if (strcmp(sweep->run[i].name, sweep->run[j].name) == 0)
                return invar_error_set(err, INVAR_ERROR_USAGE, "two of the runs are the same: %s; give a value once",
                                       sweep->run[i].name);
    return true;
}

bool study_sweep_make(struct study_sweep *sweep, const char *const *settings, int count, struct invar_error *err)
{
    struct values *values = NULL;
    int64_t runs = 1;
    bool ok = false;

    *sweep = (struct study_sweep){.keys = count};
    if (count > STUDY_SWEEP_KEYS)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%d options are given, at most %d can be", count,
                               STUDY_SWEEP_KEYS);
    values = invar_alloc((size_t)count + 1, sizeof *values, err);
    for (int k = 0; values && k < count; k++) {
        if (!read_values(&values[k], settings[k], err))
            goto done;
        runs *= values[k].count;
        if (runs > STUDY_SWEEP_RUNS) {
            invar_error_set(err, INVAR_ERROR_USAGE, "the values make more than %d runs: sweep fewer at once",
                            STUDY_SWEEP_RUNS);
            goto done;
        }
    }
    sweep->run = values ? invar_alloc((size_t)runs, sizeof *sweep->run, err) : NULL;
    ok = sweep->run != NULL;
    for (int i = 0; ok && i < runs; i++) {
        sweep->count++;
        ok = make_run(&sweep->run[i], values, count, i, err);
    }
    ok = ok && check_names(sweep, err);
done:
    for (int k = 0; values && k < count; k++)
        for (int i = 0; i < values[k].count; i++)
            invar_free(values[k].value[i]);
    invar_free(values);
    return ok;
}

void study_sweep_free(struct study_sweep *sweep)
{
    for (int i = 0; i < sweep->count; i++) {
        for (int k = 0; k < sweep->keys; k++)
            invar_free(sweep->run[i].setting[k]);
        invar_free(sweep->run[i].name);
    }
    invar_free(sweep->run);
}
