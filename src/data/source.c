/* SPDX-License-Identifier: Apache-2.0 */
/* The table of sources, and what all of them share. */
#include "data/source.h"

#include "base/names.h"
#include "invar/memory.h"
#include <math.h>
#include <string.h>

typedef bool open_function(struct data_source *source, const char *path, const struct invar_data_options *options,
                           struct invar_error *err);

#define ROW(name, argument, kind, takes, help, open) {name, argument, kind, open},
static const struct source {
    const char *name, *argument;
    enum invar_data_kind kind;
    open_function *open;
} sources[] = {DATA_SOURCES(ROW){NULL, NULL, INVAR_DATA_IMAGE, NULL}};
#define ROW_NAME(name, argument, kind, takes, help, open) {name, help},
static const struct invar_source_name public_names[] = {DATA_SOURCES(ROW_NAME){NULL, NULL}};

const struct invar_source_name *invar_source_names(void)
{
    return public_names;
}

const char *invar_data_kind_name(enum invar_data_kind kind)
{
    static const char *const names[] = {
        [INVAR_DATA_IMAGE] = "image", [INVAR_DATA_TABLE] = "table", [INVAR_DATA_AUDIO] = "audio"};
    return names[kind];
}

bool invar_source_kind(const char *source, enum invar_data_kind *kind)
{
    const size_t length = strcspn(source, ":");
    const struct source *found = names_look(NAMES_ROWS("source", sources), source, length);

    if (!found)
        return false;
    *kind = found->kind;
    return found->open != data_npy_open || !source[length] || data_npy_kind(source + length + 1, kind);
}

size_t data_memory_limit(const struct invar_data_options *options)
{
    size_t bytes;
    if (options->memory == INVAR_DATA_MEMORY_YES ||
        !invar_size_multiply((size_t)options->memory_limit, (size_t)1 << 20, &bytes))
        return SIZE_MAX;
    return bytes;
}

bool data_source_open(struct data_source *source, const struct invar_data_options *options, struct invar_error *err)
{
    const size_t length = strcspn(options->source, ":");
    const char *path = options->source + length + (options->source[length] == ':');
    const struct source *found;
    char name[INVAR_TEXT_SIZE];

    snprintf(name, sizeof name, "%.*s", (int)length, options->source);
    found = names_find(NAMES_ROWS("source", sources), "data.source", name, err);
    if (!found)
        return false;
    if (!*path != !*found->argument)
        return invar_error_set(err, INVAR_ERROR_USAGE, "data.source: \"%s\" should read \"%s%s%s\"", options->source,
                               name, *found->argument ? ":" : "", found->argument);
    source->kind = found->kind;
    if (!data_options_check(options, err) || !data_instead_archive(path, err))
        return false;
    if (found->open(source, path, options, err))
        return true;
    data_instead_folder(name, path, err);
    return false;
}

bool data_source_reserve(struct data_source *source, int64_t count, bool pixels, struct invar_error *err)
{
    source->label = invar_alloc((size_t)count, sizeof *source->label, err);
    source->split = invar_alloc((size_t)count, sizeof *source->split, err);
    if (!source->label || !source->split)
        return false;
    if (pixels) {
        source->pixels = invar_alloc((size_t)count, sizeof *source->pixels, err);
        if (!source->pixels)
            return false;
    }
    for (int64_t i = 0; i < count; i++)
        source->label[i] = -1;
    source->count = count;
    return true;
}

bool data_source_targets(struct data_source *source, struct invar_error *err)
{
    source->target = invar_alloc((size_t)source->count, sizeof *source->target, err);
    for (int64_t i = 0; source->target && i < source->count; i++)
        source->target[i] = NAN;
    return source->target != NULL;
}

bool data_source_classes(struct data_source *source, int classes, const char *const *names, struct invar_error *err)
{
    source->class_names = invar_alloc((size_t)classes, sizeof *source->class_names, err);
    if (!source->class_names)
        return false;
    source->classes = classes;
    for (int i = 0; i < classes; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        source->class_names[i] = invar_strdup(names ? names[i] : number, err);
        if (!source->class_names[i])
            return false;
    }
    return true;
}

/* Whether a field is a number as a label: as the option says, where it can be, else as it seems. */
static bool as_number(const struct data_field *field, enum invar_label_kind kind)
{
    return field->number && (kind == INVAR_LABEL_NUMBER || (kind == INVAR_LABEL_AUTO && field->seems_number));
}

static bool take_numbers(struct data_source *source, const struct data_field *field, struct invar_error *err)
{
    if (!data_source_targets(source, err))
        return false;
    memcpy(source->target, field->number, (size_t)source->count * sizeof *source->target);
    for (int64_t i = 0; i < source->count; i++)
        source->label[i] = -1;
    return true;
}

bool data_source_relabel(struct data_source *source, const char *field, enum invar_label_kind kind, const char *key,
                         struct invar_error *err)
{
    const struct data_field *found = data_fields_find(&source->fields, field, strlen(field), key, err);

    if (!found)
        return false;
    if (!as_number(found, kind) && found->values == 0)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s: the column \"%s\" has too many different values for classes; name another column, "
                               "or data.label_kind=number",
                               key, field);
    for (int i = 0; source->class_names && i < source->classes; i++)
        invar_free(source->class_names[i]);
    invar_free(source->class_names);
    invar_free(source->target);
    source->class_names = NULL;
    source->target = NULL;
    source->classes = 0;
    source->table.label_reason = found->reason ? found->reason : "";
    if (as_number(found, kind))
        return take_numbers(source, found, err);
    if (!data_source_classes(source, found->values, (const char *const *)found->value, err))
        return false;
    for (int64_t i = 0; i < source->count; i++)
        source->label[i] = found->of[i];
    return true;
}

const char *data_source_noun(const struct data_source *source)
{
    static const char *const nouns[] = {
        [INVAR_DATA_IMAGE] = "image", [INVAR_DATA_TABLE] = "row", [INVAR_DATA_AUDIO] = "clip"};
    return nouns[source->kind];
}

bool data_source_decode(const struct data_source *source, int64_t item, int channels, struct data_decoder *decoder,
                        struct data_image *image, struct invar_error *err)
{
    if (!source->pixels)
        return source->decode(source, item, channels, decoder, image, err);
    bool is_image = source->kind == INVAR_DATA_IMAGE;
    char name[32];
    const size_t unit = source->unit ? source->unit : data_unit(source->kind);
    if (is_image ? !data_image_shape(image, unit, source->height, source->width, source->channels, channels, err)
                 : !data_image_floats(image, source->width, source->channels, err))
        return false;
    image->stored = is_image ? source->channels : 0;
    memcpy(image->pixels, source->pixels[item], data_image_bytes(image));
    snprintf(name, sizeof name, "image %lld", (long long)item);
    return !channels || !is_image || data_image_convert(image, channels, name, err);
}

void data_source_release(struct data_source *source)
{
    if (source->release)
        source->release(source->state);
    source->release = NULL;
    for (int i = 0; i < DATA_MAX_HELD; i++)
        invar_bytes_free(&source->held[i]);
    invar_free(source->pixels);
    source->pixels = NULL;
}

void data_source_close(struct data_source *source)
{
    data_source_release(source);
    if (source->close)
        source->close(source->state);
    for (int i = 0; source->class_names && i < source->classes; i++)
        invar_free(source->class_names[i]);
    invar_free(source->class_names);
    invar_free(source->schema);
    data_fields_free(&source->fields);
    invar_free(source->label);
    invar_free(source->target);
    invar_free(source->split);
    invar_free(source->line);
    invar_free(source->part);
    data_shards_free(&source->shards[0]);
    data_shards_free(&source->shards[1]);
    *source = (struct data_source){0};
}

void invar_source_explain(const char *source, struct invar_error *err)
{
    const char *colon = strchr(source, ':'), *path = colon ? colon + 1 : "/";
    const size_t used = strlen(err->message);

    if (err->code == INVAR_ERROR_FILE && *path != '/' && !invar_path_exists(path))
        snprintf(err->message + used, sizeof err->message - used,
                 "; %.200s is relative to the folder in which the run was trained: start from there, or say where the "
                 "data are now",
                 source);
}
