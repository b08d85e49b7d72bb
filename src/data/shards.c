/* SPDX-License-Identifier: Apache-2.0 */
/* One data set in several files, named by a pattern. */
#include "data/shards.h"
#include "data/source.h"

#include "invar/memory.h"
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_SIZE 4096
#define LIMIT 100000 /* files; a slip in a range would name billions */
#define DIGITS 9

struct finding {
    struct data_shards *out;
    const char *pattern;
    int64_t named, missing; /* names that the ranges make; those that no file has */
    char first_missing[PATH_SIZE];
};

/* {000..127}, of so many characters. */
struct range {
    size_t length;
    int width;
    long from, to;
};

static bool read_range(struct range *range, const char *text)
{
    const char *first = text + 1, *second = first + strspn(first, "0123456789") + 2;
    const size_t digits = strspn(first, "0123456789");

    if (digits < 1 || digits > DIGITS || strncmp(first + digits, "..", 2) != 0)
        return false;
    const size_t more = strspn(second, "0123456789");
    if (more < 1 || more > DIGITS || second[more] != '}')
        return false;
    const bool padded = (digits > 1 && *first == '0') || (more > 1 && *second == '0');
    range->length = (size_t)(second - text) + more + 1;
    range->width = padded ? (int)(digits > more ? digits : more) : 0;
    range->from = strtol(first, NULL, 10);
    range->to = strtol(second, NULL, 10);
    return true;
}

static bool add(struct data_shards *out, const char *path, struct invar_error *err)
{
    void *room = out->path;
    const bool grown = invar_grow(&room, out->count, &out->capacity, sizeof *out->path, err);

    out->path = room;
    return grown && (out->path[out->count] = invar_strdup(path, err)) != NULL && ++out->count;
}

/* A name without ranges: what it matches on disk. */
static bool match(struct finding *f, const char *name, struct invar_error *err)
{
    glob_t found = {0};
    const int code = glob(name, GLOB_NOSORT | GLOB_ERR, NULL, &found);
    bool ok = true;

    if (++f->named > LIMIT)
        ok = invar_error_set(err, INVAR_ERROR_USAGE, "%s: names more than %d files; a set has fewer shards", f->pattern,
                             LIMIT);
    else if (code == GLOB_NOMATCH && f->missing++ == 0)
        memcpy(f->first_missing, name, strlen(name) + 1);
    else if (code == GLOB_NOSPACE || code == GLOB_ABORTED)
        ok = invar_error_set(err, code == GLOB_NOSPACE ? INVAR_ERROR_MEMORY : INVAR_ERROR_FILE,
                             "%s: the folder cannot be listed: %s", name, strerror(errno));
    for (size_t i = 0; ok && code == 0 && i < found.gl_pathc; i++)
        ok = add(f->out, found.gl_pathv[i], err);
    globfree(&found);
    return ok;
}

/* The first range of a name, each number in its place. */
static bool expand(struct finding *f, const char *name, struct invar_error *err)
{
    const char *brace = strchr(name, '{');
    char one[PATH_SIZE];
    struct range range;
    bool ok = true;

    if (!brace)
        return match(f, name, err);
    if (!read_range(&range, brace))
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s: the braces hold no range of numbers such as {000..127}",
                               f->pattern);
    if (range.from > range.to)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s: the range {%ld..%ld} runs backwards; expected {%ld..%ld}",
                               f->pattern, range.from, range.to, range.to, range.from);
    for (long n = range.from; ok && n <= range.to; n++) {
        const int length =
            snprintf(one, sizeof one, "%.*s%0*ld%s", (int)(brace - name), name, range.width, n, brace + range.length);
        ok = length < (int)sizeof one ? expand(f, one, err)
                                      : invar_error_set(err, INVAR_ERROR_FILE, "%s: the path is too long", f->pattern);
    }
    return ok;
}

static int by_name(const void *a, const void *b)
{
    return strverscmp(*(char *const *)a, *(char *const *)b);
}

/* Two names of the ranges may match one file: set-{1..10}*.tar. */
static void sort(struct data_shards *out)
{
    int kept = 0;

    qsort(out->path, (size_t)out->count, sizeof *out->path, by_name);
    for (int i = 0; i < out->count; i++)
        if (i + 1 < out->count && strcmp(out->path[i], out->path[i + 1]) == 0)
            invar_free(out->path[i]);
        else
            out->path[kept++] = out->path[i];
    out->count = kept;
}

static bool refuse_missing(const struct finding *f, struct invar_error *err)
{
    if (f->named == 1)
        return invar_error_set(err, INVAR_ERROR_FILE, "%s: no file has a name like that", f->pattern);
    return invar_error_set(err, INVAR_ERROR_FILE,
                           "%s: of the %lld shards %lld are missing, the first is %s: complete them, or name those "
                           "that there are",
                           f->pattern, (long long)f->named, (long long)f->missing, f->first_missing);
}

bool data_shards_find(struct data_shards *shards, const char *path, struct invar_error *err)
{
    struct finding f = {.out = shards, .pattern = path};
    struct stat status;

    *shards = (struct data_shards){0};
    if (!strpbrk(path, "{*?[") || strlen(path) >= PATH_SIZE || stat(path, &status) == 0)
        return add(shards, path, err);
    if (!expand(&f, path, err) || (f.missing && !refuse_missing(&f, err)))
        return false;
    sort(shards);
    for (int i = 0; i < shards->count; i++)
        if (!data_instead_archive(shards->path[i], err))
            return false;
    return true;
}

void data_shards_free(struct data_shards *shards)
{
    for (int i = 0; i < shards->count; i++)
        invar_free(shards->path[i]);
    invar_free(shards->path);
    *shards = (struct data_shards){0};
}

const char *data_part_of(const struct data_part *parts, int count, int64_t sample)
{
    int low = 0, high = count;

    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        if (parts[middle].first <= sample)
            low = middle;
        else
            high = middle;
    }
    return parts[low].path;
}
