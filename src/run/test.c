/* SPDX-License-Identifier: Apache-2.0 */
/* Other data to be tested on: fitted on the training split of the run, scored on data of other origin. */
#include "run/test.h"
#include "run/results.h"
#include "invar/data.h"
#include "invar/memory.h"
#include "invar/robustness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct invar_run_test {
    const char *source; /* as given */
    struct invar_dataset *dataset;
    enum invar_split split;
    int *map;       /* [classes of it] to classes of the training data; -1: dropped */
    int64_t *count; /* [classes of it] samples */
    int64_t kept, dropped;
};

void run_test_close(struct invar_run_test *test)
{
    if (!test)
        return;
    invar_dataset_close(test->dataset);
    invar_free(test->map);
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
                               "%s has no labels; give test data with the class names of the training data",
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

static bool match(struct invar_run_test *test, const struct invar_dataset_info *own, bool drop, struct invar_error *err)
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
    invar_classes_match(own, info, test->map);
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

bool invar_run_test_open(struct invar_run *run, const char *source, const char *label, bool drop,
                         struct invar_error *err)
{
    struct invar_run_test *test = invar_alloc(1, sizeof *test, err);

    if (!test)
        return false;
    test->source = source;
    test->dataset = invar_run_other(run, source, err);
    if (!test->dataset || (label && !invar_dataset_relabel(test->dataset, label, "label", err)) ||
        !choose_split(test, err) || !match(test, invar_dataset_info(run->dataset), drop, err)) {
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
                                                .what = "embedding other test",
                                                .watch = run->watch};

    if (!invar_embed(run->device, encoder, test->dataset, test->split, &options, out, err))
        return false;
    translate(test, out);
    return true;
}

/* ---- what is said of it ---- */

const struct invar_probed_test *run_test_describe(const struct invar_run *run, struct json_room *room)
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
                                      .mapping = {0, mapping},
                                      .dropped_classes = {0, dropped}};
    for (int c = 0; c < info->classes; c++) {
        char text[2][16];
        const char *name = class_name(info, c, text[0], sizeof text[0]);
        if (test->map[c] >= 0)
            mapping[out->mapping.count++] =
                (struct invar_named_text){json_room_text(room, name),
                                          json_room_text(room, class_name(own, test->map[c], text[1], sizeof text[1]))};
        else if (test->count[c])
            dropped[out->dropped_classes.count++] = json_room_text(room, name);
    }
    return out;
}
