/* SPDX-License-Identifier: Apache-2.0 */
/* What the folders of a collection mean: train and test, classes, no labels. */
#include "data/layout.h"

#include "invar/log.h"
#include "invar/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* One split: where it is, its classes in order, and its samples. */
struct part {
    const char *folder;   /* "train", "test", "val"; "" for the root itself */
    size_t *sample;       /* list entries */
    int *class_of;        /* [count], -1 */
    size_t count, loose;  /* samples; those outside of class folders */
    size_t loose_example; /* the first of these, a list entry */
    char **name;          /* of classes, in form C */
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
    for (*rank = 0; names[*rank]; (*rank)++) {
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
    for (int c = 0; part->name && c < part->classes; c++)
        invar_free(part->name[c]);
    invar_free(part->sample);
    invar_free(part->class_of);
    invar_free(part->name);
    invar_free(part->class_samples);
}

static bool is_ascii(const char *text)
{
    while (*text > 0)
        text++;
    return !*text;
}

/* The number of the class whose folder `path` begins with, a new one where there is none of that name yet: two folders
 * may have one name that is written in two ways. -1: memory is short. */
static int enter_class(struct part *part, const char *path, struct invar_error *err)
{
    char *name = data_nfc(path, strcspn(path, "/"), err);

    if (!name)
        return -1;
    for (int c = 0; !is_ascii(name) && c < part->classes; c++)
        if (strcmp(part->name[c], name) == 0) {
            invar_free(name);
            return c;
        }
    part->name[part->classes] = name;
    return part->classes++;
}

static int by_name(const void *left, const void *right)
{
    return strcmp(**(char **const *)left, **(char **const *)right);
}

/* Classes in the order of their names as they are written now, which may be another than that of the folders. */
static bool order_classes(struct part *part, struct invar_error *err)
{
    const size_t count = (size_t)part->classes;
    char ***order = invar_alloc(count + 1, sizeof *order, err), **names = invar_alloc(count + 1, sizeof *names, err);
    size_t *samples = invar_alloc(count + 1, sizeof *samples, err);
    int *rank = invar_alloc(count + 1, sizeof *rank, err);
    const bool ok = order && names && samples && rank;

    for (size_t c = 0; ok && c < count; c++)
        order[c] = &part->name[c];
    if (ok)
        qsort(order, count, sizeof *order, by_name);
    for (size_t c = 0; ok && c < count; c++) {
        const size_t old = (size_t)(order[c] - part->name);
        rank[old] = (int)c;
        names[c] = part->name[old];
        samples[c] = part->class_samples[old];
    }
    for (size_t i = 0; ok && i < part->count; i++)
        if (part->class_of[i] >= 0)
            part->class_of[i] = rank[part->class_of[i]];
    for (size_t c = 0; ok && c < count; c++) {
        part->name[c] = names[c];
        part->class_samples[c] = samples[c];
    }
    invar_free(order);
    invar_free(names);
    invar_free(samples);
    invar_free(rank);
    return ok;
}

/* The list is sorted, so what belongs to a folder stands together. */
static bool part_read(struct part *part, const struct data_list *list, const struct data_layout *layout,
                      struct invar_error *err)
{
    const char *entered = NULL;
    bool ascii = true;
    int class = -1;

    for (size_t i = 0; i < list->count; i++) {
        const char *rest = below(data_list_path(list, i), part->folder);
        if (!rest)
            continue;
        bool sample = !list->entry[i].folder && data_layout_is_sample(layout, rest);
        bool in_class = !layout->flat && (list->entry[i].folder || strchr(rest, '/'));
        if (in_class && (!entered || !same_name(entered, rest))) {
            class = enter_class(part, rest, err);
            if (class < 0)
                return false;
            ascii = ascii && is_ascii(part->name[class]);
            entered = rest;
        }
        if (!sample)
            continue;
        part->sample[part->count] = i;
        part->class_of[part->count++] = in_class ? class : -1;
        if (in_class) {
            part->class_samples[class]++;
        } else {
            if (part->loose++ == 0)
                part->loose_example = i;
        }
    }
    return ascii || order_classes(part, err);
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
        while (part->classes > 0)
            invar_free(part->name[--part->classes]);
        return true;
    }
    if (part->loose)
        return invar_error_set(
            err, INVAR_ERROR_DATA, "%s: %s %s stands beside class folders; move it into the folder of its class",
            data_list_root(list, part->loose_example, root), layout->noun, data_list_path(list, part->loose_example));
    for (int c = 0; c < part->classes; c++)
        if (part->class_samples[c] == 0)
            return invar_error_set(err, INVAR_ERROR_DATA, "%s%s%s: class folder %s holds no %s %s; fill or remove it",
                                   root, slash, part->folder, part->name[c], layout->expected, layout->noun);
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
        source->class_names[c] = invar_strdup(part->name[c], err);
        if (!source->class_names[c])
            return false;
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
            return invar_error_set(err, INVAR_ERROR_DATA, "%s: class folder %s/%s has no counterpart in %s/", root,
                                   test->folder, test->name[c], train->folder);
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
    if (!part_read(&train, list, layout, err) || !part_check(&train, list, root, layout, err))
        goto done;
    if (source->has_test) {
        const bool read = part_read(&test, list, layout, err);
        label_of = read ? invar_alloc((size_t)test.classes + 1, sizeof *label_of, err) : NULL;
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

/* Cuts the first folder, of so many characters, from entries first .. of a list. */
static void cut(struct data_list *list, size_t first, size_t length)
{
    size_t kept = first;

    for (size_t i = first; i < list->count; i++) {
        struct data_entry entry = list->entry[i];
        if (!list->text[entry.path + length])
            continue;
        entry.path += length + 1;
        list->entry[kept++] = entry;
    }
    list->count = kept;
}

/* Whether entries first .. all stand in a folder of that name, and have folders in it. */
static bool stand_in(const struct data_list *list, size_t first, const char *folder, size_t length)
{
    bool class_below = false;

    for (size_t i = first; i < list->count; i++) {
        const char *path = data_list_path(list, i);
        if (strcspn(path, "/") != length || memcmp(path, folder, length) != 0 ||
            (!path[length] && !list->entry[i].folder))
            return false;
        class_below = class_below || (path[length] && strchr(path + length + 1, '/'));
    }
    return class_below;
}

void data_layout_strip(struct data_list *list)
{
    if (list->count == 0)
        return;
    const char *first = data_list_path(list, 0);
    const size_t length = strcspn(first, "/");
    for (const char *const *name = train_names; *name; name++)
        if (strlen(*name) == length && strncasecmp(first, *name, length) == 0)
            return;
    if (stand_in(list, 0, first, length))
        cut(list, 0, length);
}

void data_layout_strip_archive(struct data_list *list, size_t first, const char *archive)
{
    const char *slash = strrchr(archive, '/'), *name = slash ? slash + 1 : archive;
    const size_t length = strcspn(name, ".");

    if (stand_in(list, first, name, length))
        cut(list, first, length);
}
