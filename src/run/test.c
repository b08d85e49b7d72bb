/* SPDX-License-Identifier: Apache-2.0 */
/* Other data to be tested on: fitted on the training split of the run, scored on data of other origin. */
#include "run/test.h"
#include "run/share.h"
#include "run/results.h"
#include "invar/data.h"
#include "invar/expert/file.h"
#include "invar/memory.h"
#include "invar/robustness.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct invar_run_test {
    const char *source; /* as given */
    struct invar_dataset *dataset;
    enum invar_split split;
    int *map;       /* [classes of it] to classes of the training data, the first of several; -1: dropped */
    int *owner;     /* [classes of training] what map has for the class that it belongs to; -1: none */
    int classes;    /* of training */
    bool merged;    /* some class is several */
    int64_t *count; /* [classes of it] samples */
    int64_t kept, dropped;
};

void run_test_close(struct invar_run_test *test)
{
    if (!test)
        return;
    invar_dataset_close(test->dataset);
    invar_free(test->map);
    invar_free(test->owner);
    invar_free(test->count);
    invar_free(test);
}

static const char *class_name(const struct invar_dataset_info *info, int class, char *room, size_t size)
{
    snprintf(room, size, "%d", class);
    return info->class_names ? info->class_names[class] : room;
}

int64_t invar_run_labelled(const struct invar_dataset *dataset, enum invar_split split)
{
    const int64_t *labels = invar_dataset_labels(dataset, split), count = invar_dataset_info(dataset)->count[split];
    const double *targets = invar_dataset_targets(dataset, split);
    int64_t labelled = 0;

    for (int64_t i = 0; i < count; i++)
        labelled += targets ? !isnan(targets[i]) : labels[i] >= 0;
    return labelled;
}

/* Its own test split where it has one, else all of it. */
static bool choose_split(struct invar_run_test *test, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(test->dataset);

    test->split = info->count[INVAR_TEST] ? INVAR_TEST : INVAR_TRAIN;
    if (info->label_number)
        return true;
    if (info->classes < 1)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s has no labels; give test data with the class names of the training data, or an "
                               "array's own with test-labels",
                               test->source);
    test->map = invar_alloc((size_t)info->classes, sizeof *test->map, err);
    test->count = invar_alloc((size_t)info->classes, sizeof *test->count, err);
    if (!test->map || !test->count)
        return false;
    for (int64_t i = 0; i < info->count[test->split]; i++) {
        const int64_t label = invar_dataset_labels(test->dataset, test->split)[i];
        if (label >= 0)
            test->count[label]++;
    }
    return true;
}

/* Classes with samples that the training data lack, as a list for people. */
static int list_unknown(const struct invar_run_test *test, char *out, size_t size)
{
    const struct invar_dataset_info *info = invar_dataset_info(test->dataset);
    size_t length = 0;
    int unknown = 0;

    out[0] = '\0';
    for (int c = 0; c < info->classes; c++) {
        char room[16];
        if (test->map[c] >= 0 || !test->count[c])
            continue;
        unknown++;
        if (length < size)
            length += (size_t)snprintf(out + length, size - length, "%s%.40s", length ? ", " : "",
                                       class_name(info, c, room, sizeof room));
    }
    if (length >= size)
        memcpy(out + size - 4, "...", 4);
    return unknown;
}

static int find_class(const struct invar_dataset_info *info, const char *name, size_t length)
{
    char room[16];

    for (int c = 0; c < info->classes; c++) {
        const char *known = class_name(info, c, room, sizeof room);
        if (strlen(known) == length && strncmp(known, name, length) == 0)
            return c;
    }
    return -1;
}

/* One line of a class map: CLASS,TEST CLASS. */
static bool map_line(struct invar_run_test *test, const struct invar_dataset_info *own, const char *path,
                     int64_t number, const char *line, size_t length, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(test->dataset);
    const char *comma = memchr(line, ',', length);
    const size_t first = comma ? (size_t)(comma - line) : 0, second = comma ? length - first - 1 : 0;

    if (!comma || !first || !second)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s, line %lld: expected CLASS,TEST CLASS: a class of %s and the class of %s that it is",
                               path, (long long)number, own->source, test->source);
    const int mine = find_class(own, line, first), theirs = find_class(info, comma + 1, second);
    if (mine < 0 || theirs < 0)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s, line %lld: %.*s is no class of %s", path, (long long)number,
                               mine < 0 ? (int)first : (int)second, mine < 0 ? line : comma + 1,
                               mine < 0 ? own->source : test->source);
    if (test->owner[mine] >= 0)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s, line %lld: the class %.*s stands there twice: give it once",
                               path, (long long)number, (int)first, line);
    test->merged = test->merged || test->map[theirs] >= 0;
    test->map[theirs] = test->map[theirs] < 0 ? mine : test->map[theirs];
    test->owner[mine] = test->map[theirs];
    return true;
}

/* By the file alone: a class of the test data that it does not name is unknown. */
static bool map_by_file(struct invar_run_test *test, const struct invar_dataset_info *own, const char *path,
                        struct invar_error *err)
{
    struct invar_bytes text;
    int64_t number = 0;

    if (!invar_file_read(&text, path, (size_t)1 << 24, err))
        return false;
    bool ok = true;
    for (int c = 0; c < invar_dataset_info(test->dataset)->classes; c++)
        test->map[c] = -1;
    for (const char *at = (const char *)text.data, *end = at + text.size; ok && at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop ? stop : end) - at);
        const size_t whole = length + (stop != NULL);
        length -= length && at[length - 1] == '\r';
        number++;
        ok = !length || map_line(test, own, path, number, at, length, err);
        at += whole;
    }
    invar_bytes_free(&text);
    return ok;
}

/* Which class is which, by the file or by name. */
static bool map_classes(struct invar_run_test *test, const struct invar_dataset_info *own, const char *path,
                        struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(test->dataset);

    test->classes = own->classes;
    test->owner = invar_alloc((size_t)own->classes, sizeof *test->owner, err);
    for (int c = 0; test->owner && c < own->classes; c++)
        test->owner[c] = -1;
    if (!test->owner || path)
        return test->owner && map_by_file(test, own, path, err);
    invar_classes_match(own, info, test->map);
    for (int c = 0; c < info->classes; c++)
        if (test->map[c] >= 0 && test->count[c])
            test->owner[test->map[c]] = test->map[c];
    return true;
}

bool run_test_is_merged(const struct invar_run_test *test)
{
    return test->merged;
}

/* The lowest finite score has probability 0, and is behind every other. */
void run_test_compete(const struct invar_run_test *test, bool of_test, const struct invar_matrix *scores,
                      int64_t *labels)
{
    for (int64_t i = 0; i < scores->rows; i++) {
        float *row = (float *)scores->data + i * test->classes;
        int64_t best = labels[i];
        for (int c = 0; c < test->classes; c++) {
            if (of_test && test->owner[c] < 0)
                row[c] = -FLT_MAX;
            if (test->owner[c] == labels[i] && row[c] > row[best])
                best = c;
        }
        labels[i] = best;
    }
}

static bool match(struct invar_run_test *test, const struct invar_dataset_info *own, const char *path, bool drop,
                  struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(test->dataset);
    char unknown[400], room[16];

    if (info->label_number != own->label_number)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s: its labels are %s, those of %s %s; give test data with labels of the same kind",
                               test->source, info->label_number ? "numbers" : "classes", own->source,
                               own->label_number ? "numbers" : "classes");
    if (info->label_number) {
        test->kept = invar_run_labelled(test->dataset, test->split);
        return test->kept || invar_error_set(err, INVAR_ERROR_DATA,
                                             "%s: none of its %lld samples has a label; give test data with "
                                             "labels",
                                             test->source, (long long)info->count[test->split]);
    }
    if (!map_classes(test, own, path, err))
        return false;
    for (int c = 0; c < info->classes; c++)
        *(test->map[c] < 0 ? &test->dropped : &test->kept) += test->count[c];
    if (list_unknown(test, unknown, sizeof unknown) && !drop)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s has classes that %s lacks (%s); its classes are %s, ..: rename them, or leave their "
                               "samples out with drop-unknown",
                               test->source, own->source, unknown, class_name(own, 0, room, sizeof room));
    if (test->kept + test->dropped == 0)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s: none of its %lld samples has a label; give test data with labels", test->source,
                               (long long)info->count[test->split]);
    return test->kept || invar_error_set(err, INVAR_ERROR_DATA,
                                         "%s has no test samples of a class of %s; give data with its class names",
                                         test->source, own->source);
}

void run_test_count(const struct invar_run_test *test, int64_t *labelled, int64_t *samples)
{
    *labelled = test->kept + test->dropped;
    *samples = invar_dataset_info(test->dataset)->count[test->split];
}

const struct invar_dataset *invar_run_tested(const struct invar_run *run, enum invar_split *split)
{
    *split = run->test ? run->test->split : INVAR_TEST;
    return run->test ? run->test->dataset : run->dataset;
}

bool invar_run_test_open(struct invar_run *run, const char *source, const char *labels, const char *label,
                         const char *map, bool drop, struct invar_error *err)
{
    struct invar_run_test *test = invar_alloc(1, sizeof *test, err);

    if (!test)
        return false;
    test->source = source;
    test->dataset = invar_run_other(run, source, labels, err);
    if (!test->dataset || (label && !invar_dataset_relabel(test->dataset, label, "label", err)) ||
        !choose_split(test, err) || !match(test, invar_dataset_info(run->dataset), map, drop, err)) {
        run_test_close(test);
        return false;
    }
    run->test = test;
    return true;
}

/* Labels become those of the training data; samples of dropped classes go. */
static void translate(const struct invar_run_test *test, struct invar_embedded *embedded)
{
    int64_t *labels = embedded->labels.data, *index = embedded->index.data, kept = 0;
    float *features = embedded->features.data;
    const int64_t cols = embedded->features.shape[1];

    for (int64_t i = 0; i < embedded->labels.shape[0]; i++) {
        if (labels[i] >= 0 && test->map[labels[i]] < 0)
            continue;
        labels[kept] = labels[i] < 0 ? -1 : test->map[labels[i]];
        index[kept] = index[i];
        memmove(features + kept * cols, features + i * cols, (size_t)cols * sizeof *features);
        kept++;
    }
    embedded->labels.shape[0] = embedded->index.shape[0] = embedded->features.shape[0] = kept;
}

bool run_test_embed(const struct invar_run *run, const struct invar_encoder *encoder, struct invar_embedded *out,
                    struct invar_error *err)
{
    const struct invar_run_test *test = run->test;
    const struct invar_embed_options options = {.precision = INVAR_PRECISION_FLOAT32,
                                                .windows = run->windows,
                                                .share = run_share_of(run),
                                                .what = "embedding other test",
                                                .watch = run->watch};
    const int64_t known = invar_dataset_info(test->dataset)->skipped;
    const bool ok = invar_embed(run->device, encoder, test->dataset, test->split, &options, out, err);

    if (!run_share_rows(run, test->dataset, known, ok, out, err))
        return false;
    translate(test, out);
    return true;
}

/* ---- what is said of it ---- */

/* The classes of training that one of the test data is: "cat, tiger". */
static const char *list_owned(const struct invar_run_test *test, const struct invar_dataset_info *own, int class,
                              struct json_room *room)
{
    char text[400], name[16];
    size_t length = (size_t)snprintf(text, sizeof text, "%.200s", class_name(own, class, name, sizeof name));

    for (int c = 0; c < own->classes && length < sizeof text; c++)
        if (c != class && test->owner[c] == class)
            length += (size_t)snprintf(text + length, sizeof text - length, ", %.200s",
                                       class_name(own, c, name, sizeof name));
    return json_room_text(room, text);
}

const struct invar_probed_test *run_test_describe(const struct invar_run *run, const char *compete,
                                                  struct json_room *room)
{
    const struct invar_run_test *test = run->test;
    if (!test)
        return NULL;

    const struct invar_dataset_info *info = invar_dataset_info(test->dataset), *own = invar_dataset_info(run->dataset);
    struct invar_probed_test *out = json_room_take(room, 1, sizeof *out);
    struct invar_named_text *mapping = json_room_take(room, info->classes, sizeof *mapping);
    const char **dropped = json_room_take(room, info->classes, sizeof *dropped);

    if (!out || !mapping || !dropped)
        return NULL;
    *out = (struct invar_probed_test){.source = json_room_text(room, test->source),
                                      .split = test->split == INVAR_TEST ? "test" : "all",
                                      .samples = test->kept,
                                      .dropped = test->dropped,
                                      .compete = compete,
                                      .mapping = {0, mapping},
                                      .dropped_classes = {0, dropped}};
    for (int c = 0; c < info->classes; c++) {
        char text[16];
        const char *name = class_name(info, c, text, sizeof text);
        if (test->map[c] >= 0)
            mapping[out->mapping.count++] =
                (struct invar_named_text){json_room_text(room, name), list_owned(test, own, test->map[c], room)};
        else if (test->count[c])
            dropped[out->dropped_classes.count++] = json_room_text(room, name);
    }
    return out;
}
