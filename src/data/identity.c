/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What identifies data wherever they lie: words KEY=VALUE with counts, sizes and checksums, so that whoever compares
 * two says which of them differ. Names are taken relative to the source; contents where they are in memory.
 */
#include "data/dataset.h"

#include <string.h>

/* What options of labels, splits and groups say comes first, what samples are whatever they say after it. */
static const struct {
    const char *key, *meaning;
} words[] = {
    {"train", "the number of training samples"},
    {"test", "the number of test samples"},
    {"size", "channels, height and width"},
    {"classes", "the number and names of classes"},
    {"columns", "the columns"},
    {"labels", "the labels"},
    {"splits", "which samples are the test split"},
    {"groups", "the refinement groups"},
    {"names", "the names of files"},
    {"sizes", "the sizes of files"}, /* "bytes" of earlier versions depended on the current folder */
    {"contents", "the contents"},
};
enum { WORDS = sizeof words / sizeof *words, OF_SAMPLES = WORDS - 3 };

static uint32_t hash_text(uint32_t hash, const char *text)
{
    return invar_crc32(hash, text, strlen(text) + 1);
}

/* As the listing of the source had them, so that neither the folder that a command runs in nor where the source lies
 * makes a difference. */
static void hash_files(const struct data_source *source, uint32_t *names, uint32_t *sizes)
{
    for (int64_t i = 0; i < source->count; i++) {
        const uint64_t bytes = source->bytes(source, i);
        *names = hash_text(*names, source->name(source, i));
        *sizes = invar_crc32(*sizes, &bytes, sizeof bytes);
    }
}

static uint32_t hash_contents(const struct invar_dataset *dataset)
{
    uint32_t hash = 0;

    for (int64_t i = 0; i < dataset->source.count; i++) {
        const struct data_shape shape = data_dataset_shape(dataset, i);
        const size_t pixel = shape.unit * (size_t)dataset->channels;
        if (dataset->bad[i] || !dataset->pixels[i])
            continue;
        hash = invar_crc32(hash, dataset->pixels[i], (size_t)shape.height * (size_t)shape.width * pixel);
    }
    return hash;
}

static bool write_hash(struct invar_text *out, const char *key, uint32_t hash, struct invar_error *err)
{
    return invar_text_printf(out, err, " %s=%08x", key, hash);
}

bool data_identity(struct invar_dataset *dataset, struct invar_error *err)
{
    const struct data_source *source = &dataset->source;
    const bool named = source->name && !source->pixels;
    const struct invar_dataset_info *info = &dataset->info;
    struct invar_text *out = &dataset->identity;
    const size_t count = (size_t)source->count;
    const uint32_t labels = source->target ? invar_crc32(0, source->target, count * sizeof *source->target)
                                           : invar_crc32(0, source->label, count * sizeof *source->label);
    uint32_t classes = 0, names = 0, sizes = 0;

    for (int c = 0; c < source->classes; c++)
        classes = hash_text(classes, source->class_names[c]);
    if (named)
        hash_files(source, &names, &sizes);
    bool ok = invar_text_printf(out, err, "train=%lld test=%lld size=%dx%dx%d classes=%d/%08x",
                                (long long)info->count[0], (long long)info->count[1], info->channels, info->height,
                                info->width, source->classes, classes) &&
              write_hash(out, "labels", labels, err) &&
              write_hash(out, "splits", invar_crc32(0, source->split, count * sizeof *source->split), err) &&
              (!info->table || write_hash(out, "columns", hash_text(0, info->table->schema), err)) &&
              (!dataset->refinement.count ||
               write_hash(out, "groups", invar_crc32(0, dataset->refinement.of, count * sizeof *dataset->refinement.of),
                          err)) &&
              (!named || (write_hash(out, "names", names, err) && write_hash(out, "sizes", sizes, err))) &&
              (!info->in_memory || write_hash(out, "contents", hash_contents(dataset), err));
    dataset->info.identity = ok ? out->data : NULL;
    return ok;
}

/* The value behind "KEY=", up to the next blank; NULL where there is none. */
static const char *value_of(const char *identity, const char *key, size_t *length)
{
    const size_t name = strlen(key);

    for (const char *at = identity; *at; at += strcspn(at, " "), at += strspn(at, " "))
        if (strncmp(at, key, name) == 0 && at[name] == '=') {
            *length = strcspn(at + name + 1, " ");
            return at + name + 1;
        }
    return NULL;
}

static bool same(const char *before, const char *now, size_t from, char *difference, size_t size)
{
    size_t used = 0;

    if (size)
        difference[0] = '\0';
    for (size_t i = from; i < WORDS; i++) {
        size_t a = 0, b = 0;
        const char *first = value_of(before, words[i].key, &a), *second = value_of(now, words[i].key, &b);
        if (!first || !second || (a == b && memcmp(first, second, a) == 0))
            continue;
        if (used < size)
            used += (size_t)snprintf(difference + used, size - used, "%s%s (%.*s, now %.*s)", used ? ", " : "",
                                     words[i].meaning, (int)a, first, (int)b, second);
        else
            used++;
    }
    return used == 0;
}

bool invar_data_identity_same(const char *before, const char *now, char *difference, size_t size)
{
    return same(before, now, 0, difference, size);
}

bool data_identity_same_samples(const char *before, const char *now, char *difference, size_t size)
{
    return same(before, now, OF_SAMPLES, difference, size);
}
