/* SPDX-License-Identifier: Apache-2.0 */
/* What the folders of a collection mean: train and test, classes, no labels. */
#include "data/layout.h"

#include "invar/log.h"
#include "invar/memory.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* One split: where it is, its classes in order, and its samples. */
struct part {
    const char *folder;   /* "train", "test", "val"; "" for the root itself */
    size_t *sample;       /* list entries */
    int *class_of;        /* [count], -1 */
    size_t count, loose;  /* samples; those outside of class folders */
    size_t loose_example; /* the first of these, a list entry */
    const char **name;    /* of classes, not ended by NUL but by '/' or NUL */
    size_t *class_samples;
    int classes;
};

bool data_layout_is_sample(const struct data_layout *layout, const char *path)
{
    size_t length = strlen(path);
    for (const char *const *ending = layout->endings; *ending; ending++) {
        size_t end = strlen(*ending);
        if (length > end && strcasecmp(path + length - end, *ending) == 0)
            return true;
    }
    return false;
}

/* What follows "folder/" in path; path itself for folder ""; NULL when it is elsewhere. */
static const char *below(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    if (length == 0)
        return path;
    return strncmp(path, folder, length) == 0 && path[length] == '/' ? path + length + 1 : NULL;
}

static bool same_name(const char *a, const char *b)
{
    size_t length = strcspn(a, "/");
    return strcspn(b, "/") == length && memcmp(a, b, length) == 0;
}

/* Names of the training and of the test split, whatever their case; of equal rank the first in the list counts. */
static const char *const train_names[] = {"train", "training", "seg_train", "train_set", "trainset", NULL};
static const char *const test_names[] = {"test",  "testing",    "seg_test", "test_set", "testset", "val",
                                         "valid", "validation", "seg_val",  "dev",      "eval",    NULL};

/* The folder of the root that has one of the names, as it is written there; twice where it holds itself alone
 * (seg_train/seg_train). False: there is none. */
static bool find_split(const struct data_list *list, const char *const *names, size_t *rank, char *folder, size_t room)
{
    for (*rank = 0; names[*rank]; ++*rank) {
        const size_t length = strlen(names[*rank]);
        for (size_t i = 0; i < list->count; i++) {
            const char *path = data_list_path(list, i);
            if (strncasecmp(path, names[*rank], length) != 0 ||
                !(path[length] == '/' || (!path[length] && list->entry[i].folder)))
                continue;
            snprintf(folder, room, "%.*s", (int)length, path);
            return true;
        }
    }
    return false;
}

static void look_through(const struct data_list *list, char *folder, size_t room)
{
    char inner[64];
    bool any = false;
    snprintf(inner, sizeof inner, "%s/%s", folder, folder);
    for (size_t i = 0; i < list->count; i++) {
        const char *rest = below(data_list_path(list, i), folder);
        if (rest && !same_name(rest, folder))
            return;
        any = any || (rest && strchr(rest, '/'));
    }
    if (any)
        snprintf(folder, room, "%s", inner);
}

static bool part_alloc(struct part *part, size_t entries, struct invar_error *err)
{
    part->sample = invar_alloc(entries + 1, sizeof *part->sample, err);
    part->class_of = invar_alloc(entries + 1, sizeof *part->class_of, err);
    part->name = invar_alloc(entries + 1, sizeof *part->name, err);
    part->class_samples = invar_alloc(entries + 1, sizeof *part->class_samples, err);
    return part->sample && part->class_of && part->name && part->class_samples;
}

static void part_free(struct part *part)
{
    invar_free(part->sample);
    invar_free(part->class_of);
    invar_free(part->name);
    invar_free(part->class_samples);
}

/* The list is sorted, so what belongs to a class stands together. */
static void part_read(struct part *part, const struct data_list *list, const struct data_layout *layout)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *rest = below(data_list_path(list, i), part->folder);
        if (!rest)
            continue;
        bool sample = !list->entry[i].folder && data_layout_is_sample(layout, rest);
        bool in_class = !layout->flat && (list->entry[i].folder || strchr(rest, '/'));
        if (in_class && (part->classes == 0 || !same_name(part->name[part->classes - 1], rest)))
            part->name[part->classes++] = rest;
        if (!sample)
            continue;
        part->sample[part->count] = i;
        part->class_of[part->count++] = in_class ? part->classes - 1 : -1;
        if (in_class) {
            part->class_samples[part->classes - 1]++;
        } else {
            if (part->loose++ == 0)
                part->loose_example = i;
        }
    }
}

/* A part whose samples all lie outside of class folders has no classes, whatever empty folders stand beside them. */
static bool part_check(struct part *part, const struct data_list *list, const char *root,
                       const struct data_layout *layout, struct invar_error *err)
{
    const char *slash = *part->folder ? "/" : "";
    if (part->count == 0)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s%s%s: holds no %s, expected %s files", root, slash,
                               part->folder, layout->noun, layout->expected);
    if (part->loose == part->count) {
        part->classes = 0;
        return true;
    }
    if (part->loose)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s: %s %s stands beside class folders; move it into the folder of its class", root,
                               layout->noun, data_list_path(list, part->loose_example));
    for (int c = 0; c < part->classes; c++)
        if (part->class_samples[c] == 0)
            return invar_error_set(err, INVAR_ERROR_DATA, "%s%s%s: class folder %.*s holds no %s %s; fill or remove it",
                                   root, slash, part->folder, (int)strcspn(part->name[c], "/"), part->name[c],
                                   layout->expected, layout->noun);
    return true;
}

static int find_class(const struct part *part, const char *name)
{
    for (int c = 0; c < part->classes; c++)
        if (same_name(part->name[c], name))
            return c;
    return -1;
}

static bool take_classes(struct data_source *source, const struct part *part, struct invar_error *err)
{
    if (part->classes == 0)
        return true;
    source->class_names = invar_alloc((size_t)part->classes, sizeof *source->class_names, err);
    if (!source->class_names)
        return false;
    source->classes = part->classes;
    for (int c = 0; c < part->classes; c++) {
        char *copy = invar_strdup(part->name[c], err);
        if (!copy)
            return false;
        copy[strcspn(copy, "/")] = '\0';
        source->class_names[c] = copy;
    }
    return true;
}

static void take_part(struct data_source *source, const struct part *part, const int *label_of, int64_t first,
                      enum invar_split split, size_t *items)
{
    for (size_t i = 0; i < part->count; i++) {
        int64_t item = first + (int64_t)i;
        int class = part->class_of[i];
        items[item] = part->sample[i];
        source->split[item] = (uint8_t)split;
        source->label[item] = part->classes == 0 ? -1 : label_of ? label_of[class] : class;
    }
}

/* Test classes by their number among the training classes; NULL-able when the test part alone has classes. */
static bool match_classes(const struct part *train, const struct part *test, const char *root, int *label_of,
                          struct invar_error *err)
{
    for (int c = 0; c < test->classes; c++) {
        label_of[c] = train->classes ? find_class(train, test->name[c]) : c;
        if (label_of[c] < 0)
            return invar_error_set(err, INVAR_ERROR_DATA, "%s: class folder %s/%.*s has no counterpart in %s/", root,
                                   test->folder, (int)strcspn(test->name[c], "/"), test->name[c], train->folder);
    }
    return true;
}

/* A class called "train" beside other classes reads as a split: nothing may vanish without a word. */
static void mention_unused(const struct data_list *list, const char *root, const struct data_layout *layout,
                           size_t used)
{
    size_t samples = 0;
    for (size_t i = 0; i < list->count; i++)
        samples += !list->entry[i].folder && data_layout_is_sample(layout, data_list_path(list, i));
    if (samples > used)
        invar_log(INVAR_LOG_WARNING,
                  "%s: has a folder of training samples, so %zu %ss outside of train/ and test/ (or val/) are not used",
                  root, samples - used, layout->noun);
}

bool data_layout_read(struct data_source *source, const struct data_list *list, const char *root,
                      const struct data_layout *layout, size_t **items, struct invar_error *err)
{
    char train_folder[64] = "", test_folder[64] = "";
    size_t train_rank, test_rank;
    bool split = find_split(list, train_names, &train_rank, train_folder, sizeof train_folder);
    bool has_test = find_split(list, test_names, &test_rank, test_folder, sizeof test_folder);
    if (split && strcmp(train_folder, "train") != 0 &&
        !has_test) /* other names than train/ are splits only side by side */
        split = false;
    if (split)
        look_through(list, train_folder, sizeof train_folder);
    if (split && has_test)
        look_through(list, test_folder, sizeof test_folder);
    struct part train = {.folder = split ? train_folder : ""};
    struct part test = {.folder = test_folder};
    int *label_of = NULL;
    bool ok = false;

    source->has_test = split && has_test;
    data_beside_read(&source->beside, list, root, layout);
    if (!part_alloc(&train, list->count, err) || !part_alloc(&test, list->count, err))
        goto done;
    part_read(&train, list, layout);
    if (!part_check(&train, list, root, layout, err))
        goto done;
    if (source->has_test) {
        part_read(&test, list, layout);
        label_of = invar_alloc((size_t)test.classes + 1, sizeof *label_of, err);
        if (!label_of || !part_check(&test, list, root, layout, err) ||
            !match_classes(&train, &test, root, label_of, err))
            goto done;
    }
    *items = invar_alloc(train.count + test.count, sizeof **items, err);
    if (!*items || !data_source_reserve(source, (int64_t)(train.count + test.count), false, err) ||
        !take_classes(source, train.classes ? &train : &test, err))
        goto done;
    mention_unused(list, root, layout, train.count + test.count);
    take_part(source, &train, NULL, 0, INVAR_TRAIN, *items);
    take_part(source, &test, label_of, (int64_t)train.count, INVAR_TEST, *items);
    ok = true;
done:
    part_free(&train);
    part_free(&test);
    invar_free(label_of);
    return ok;
}

void data_layout_strip(struct data_list *list)
{
    bool class_below = false;
    if (list->count == 0)
        return;
    const char *first = data_list_path(list, 0);
    size_t length = strcspn(first, "/");
    for (size_t i = 0; i < list->count; i++) {
        const char *path = data_list_path(list, i);
        const char *rest = path + length + 1;
        if (!same_name(path, first) || (!path[length] && !list->entry[i].folder))
            return;
        class_below = class_below || (path[length] && strchr(rest, '/'));
    }
    for (const char *const *name = train_names; *name; name++)
        if (strlen(*name) == length && strncasecmp(first, *name, length) == 0)
            return;
    if (!class_below)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct data_entry entry = list->entry[i];
        if (!list->text[entry.path + length])
            continue;
        entry.path += length + 1;
        list->entry[kept++] = entry;
    }
    list->count = kept;
}
