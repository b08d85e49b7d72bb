/* SPDX-License-Identifier: Apache-2.0 */
/* A look at all of a data set: counts by class, numbers of labels and clips, problems. */
#include "data/dataset.h"

#include "invar/memory.h"
#include "invar/study.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>

#define SILENCE 1e-5f /* no sample of a silent clip is larger; 24 bits go on to 1e-7 */
enum { BATCH = 256 };

/* ---- reading ---- */

static bool is_silent(const struct invar_sample *clip)
{
    const float *wave = clip->data;
    for (int i = 0; i < clip->width; i++)
        if (!(fabsf(wave[i]) <= SILENCE))
            return false;
    return true;
}

static void add_clip(struct invar_survey_clips *clips, const struct invar_dataset_info *info,
                     const struct invar_sample *clip)
{
    double seconds = clip->width / info->logmel.rate;

    clips->shortest = clips->count && clips->shortest < seconds ? clips->shortest : seconds;
    clips->longest = clips->longest > seconds ? clips->longest : seconds;
    clips->total += seconds;
    clips->silent += is_silent(clip);
    clips->count++;
}

/* Decodes every sample of a split. */
static bool read_split(struct invar_dataset *dataset, enum invar_split split, struct invar_survey_clips *clips,
                       const struct invar_watch *watch, struct invar_error *err)
{
    const int64_t count = invar_dataset_info(dataset)->count[split];
    struct invar_progress progress = {split == INVAR_TRAIN ? "reading train" : "reading test", "samples", 0, count,
                                      NULL};
    struct invar_loader *loader = NULL;
    struct invar_sample samples[BATCH];
    int64_t *order = invar_alloc((size_t)count + 1, sizeof *order, err), got = 1;
    bool ok = false;

    for (int64_t i = 0; order && i < count; i++)
        order[i] = i;
    loader = order && count ? invar_loader_create(dataset, split, BATCH, err) : NULL;
    if (count && (!loader || !invar_loader_start(loader, order, count, err)))
        goto done;
    for (; count && got; progress.done += got) {
        if (!invar_loader_next(loader, samples, &got, err))
            goto done;
        for (int64_t i = 0; i < got && samples[i].kind == INVAR_DATA_AUDIO; i++)
            add_clip(clips, invar_dataset_info(dataset), &samples[i]);
        if (!invar_watch_tell(watch, &progress, err))
            goto done;
    }
    ok = order != NULL;
done:
    invar_loader_free(loader);
    invar_free(order);
    return ok;
}

/* ---- counting ---- */

static struct invar_survey_numbers measure_numbers(const struct invar_dataset *dataset, enum invar_split split)
{
    const double *targets = invar_dataset_targets(dataset, split);
    const int64_t count = invar_dataset_info(dataset)->count[split];
    struct invar_survey_numbers numbers = {.least = INFINITY, .most = -INFINITY};
    double squares = 0;

    for (int64_t i = 0; targets && i < count; i++) {
        if (isnan(targets[i]))
            continue;
        const double step = targets[i] - numbers.mean;
        numbers.mean += step / (double)++numbers.labelled;
        squares += step * (targets[i] - numbers.mean);
        numbers.least = fmin(numbers.least, targets[i]);
        numbers.most = fmax(numbers.most, targets[i]);
    }
    numbers.deviation = numbers.labelled ? sqrt(squares / (double)numbers.labelled) : 0;
    return numbers;
}

static void count_labels(const struct invar_dataset *dataset, enum invar_split split, int64_t *counts)
{
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    const int64_t *labels = invar_dataset_labels(dataset, split);
    for (int64_t i = 0; labels && i < info->count[split]; i++)
        if (labels[i] >= 0 && labels[i] < info->classes)
            counts[2 * labels[i] + split]++;
}

/* ---- problems ---- */

static void add_problem(struct invar_survey *survey, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add_problem(struct invar_survey *survey, const char *format, ...)
{
    va_list list;
    if (survey->problem_count >= INVAR_SURVEY_PROBLEMS)
        return;
    va_start(list, format);
    vsnprintf(survey->problem[survey->problem_count++], INVAR_ERROR_MESSAGE_SIZE, format, list);
    va_end(list);
}

static void find_number_problems(const struct invar_dataset *dataset, struct invar_survey *out)
{
    for (int split = 0; split < 2; split++) {
        const struct invar_survey_numbers numbers = out->numbers[split];
        const char *name = split == INVAR_TRAIN ? "training" : "test";
        if (invar_dataset_info(dataset)->count[split] && !numbers.labelled)
            add_problem(out, "no %s sample has a label", name);
        else if (numbers.labelled > 1 && !(numbers.least < numbers.most))
            add_problem(out, "all %s samples with a label have the same number, %g: there is nothing to predict", name,
                        numbers.least);
    }
}

/* The names of some columns, some alone where they are many, and how many there are. */
static int list_columns(const struct invar_table *table, bool (*is)(const struct invar_column *), char *names,
                        size_t size)
{
    int count = 0;

    names[0] = '\0';
    for (int c = 0; c < table->count; c++) {
        const size_t used = strlen(names);
        if (!is(&table->column[c]))
            continue;
        if (count++ < 6 && used + strlen(table->column[c].name) + 2 < size)
            snprintf(names + used, size - used, "%s%s", used ? "," : "", table->column[c].name);
    }
    return count;
}

static bool is_unique(const struct invar_column *column)
{
    return column->unique;
}

static bool is_mixed(const struct invar_column *column)
{
    return column->mixed;
}

static void find_column_problems(const struct invar_table *table, struct invar_survey *out)
{
    char names[200];
    const int mixed = list_columns(table, is_mixed, names, sizeof names);

    if (mixed)
        add_problem(
            out,
            "%d column%s %s numbers but for a few texts, and taken for categories: %s; missing=.. says what stands "
            "for missing values",
            mixed, mixed > 1 ? "s" : "", mixed > 1 ? "are" : "is", names);
    const int unique = list_columns(table, is_unique, names, sizeof names);
    if (unique)
        add_problem(out,
                    "%d column%s %s another text in nearly every row, which teaches nothing: ignore=%s leaves %s out",
                    unique, unique > 1 ? "s" : "", unique > 1 ? "have" : "has", names, unique > 1 ? "them" : "it");
}

/* Names that are no text in UTF-8 are what their bytes are. */
static int compare_folded(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    int order = 0;

    return u8_casecmp((const uint8_t *)x, strlen(x), (const uint8_t *)y, strlen(y), NULL, NULL, &order) ? strcmp(x, y)
                                                                                                        : order;
}

/* Pairs of names that differ in capitals alone, and the first of them. */
struct alike {
    int pairs;
    const char *name[2], *column; /* column: whose categories they are; NULL for classes */
};

static bool find_alike(const char *const *names, int count, const char *column, struct alike *out,
                       struct invar_error *err)
{
    const char **sorted = invar_alloc((size_t)count + 1, sizeof *sorted, err);

    for (int i = 0; sorted && i < count; i++)
        sorted[i] = names[i];
    if (sorted)
        qsort(sorted, (size_t)count, sizeof *sorted, compare_folded);
    for (int i = 1; sorted && i < count; i++)
        if (compare_folded(&sorted[i - 1], &sorted[i]) == 0 && out->pairs++ == 0)
            *out = (struct alike){1, {sorted[i - 1], sorted[i]}, column};
    invar_free(sorted);
    return sorted != NULL;
}

static void tell_alike(const struct alike *found, const char *what, struct invar_survey *out)
{
    char more[40] = "";

    if (found->pairs > 1)
        snprintf(more, sizeof more, " (%d such pairs)", found->pairs);
    if (found->pairs)
        add_problem(out, "%s \"%.60s\" and \"%.60s\"%s%.60s differ in capitals alone, and are two%s", what,
                    found->name[0], found->name[1], found->column ? " of column " : "",
                    found->column ? found->column : "", more);
}

/* Who typed them meant one thing, as a rule. */
static bool find_names_alike(const struct invar_dataset_info *info, struct invar_survey *out, struct invar_error *err)
{
    struct alike classes = {0}, categories = {0};

    if (info->class_names && !find_alike(info->class_names, info->classes, NULL, &classes, err))
        return false;
    for (int c = 0; info->table && c < info->table->count; c++) {
        const struct invar_column *column = &info->table->column[c];
        if (column->kind == INVAR_COLUMN_CATEGORICAL &&
            !find_alike((const char *const *)column->category, column->categories, column->name, &categories, err))
            return false;
    }
    tell_alike(&classes, "classes", out);
    tell_alike(&categories, "categories", out);
    return true;
}

/* 16 bits of which few are used, say: what views add to values is measured by the whole range. */
static void find_narrow_range(const struct invar_dataset_info *info, struct invar_survey *out)
{
    float widest = 0;

    for (int c = 0; c < info->channels && c < 16; c++)
        widest = fmaxf(widest, info->deviation[c]);
    if (info->kind == INVAR_DATA_IMAGE && widest < 0.004f)
        add_problem(
            out,
            "values vary by %.2g of 0 to 1 alone, less than views change them: spread them over the range of their "
            "type, alike in all files, or train with views.jitter=0 views.gain=0 views.offset=0",
            (double)widest);
}

/* This verb counts where others stop. */
static void find_unreadable(const struct invar_dataset *dataset, struct invar_survey *out)
{
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    struct invar_data_options usual;

    if (!info->skipped)
        return;
    add_problem(out, "%lld unreadable samples are left out, the first is %s", (long long)info->skipped,
                info->first_skipped ? info->first_skipped : "not known");
    invar_options_default(invar_data_option_table, &usual);
    for (int split = 0; split < 2; split++)
        if (dataset->bad_count[split] > (int64_t)(usual.bad_limit * (double)dataset->total[split]))
            add_problem(out,
                        "%lld of the %lld %s samples are unreadable, more than the bad_limit of %g that other verbs "
                        "have: they refuse this source until the files are mended or removed or data.bad_limit is "
                        "raised",
                        (long long)dataset->bad_count[split], (long long)dataset->total[split],
                        split == INVAR_TRAIN ? "training" : "test", usual.bad_limit);
}

static void find_problems(const struct invar_dataset *dataset, struct invar_survey *out)
{
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    int empty[2] = {0, 0};
    find_unreadable(dataset, out);
    if (info->closed_folders)
        add_problem(out, "%lld folders or links cannot be followed and are left out, the first is %s",
                    (long long)info->closed_folders, info->first_closed);
    find_narrow_range(info, out);
    if (out->clips.silent)
        add_problem(out, "%lld clips are silent: they train, but say nothing", (long long)out->clips.silent);
    if (!info->count[INVAR_TEST])
        add_problem(out, "there is no test split: set test_fraction to have one drawn");
    if (info->table)
        find_column_problems(info->table, out);
    if (info->label_number)
        find_number_problems(dataset, out);
    if (!info->labelled && !info->classes && !info->label_number && info->table)
        add_problem(out, "there are no labels: it trains, but cannot be probed; label=COLUMN names their column");
    else if (!info->labelled)
        add_problem(out, info->classes || info->label_number
                             ? "some samples have no label: they train, but are not probed"
                             : "there are no labels: it trains, but cannot be probed");
    for (int class = 0; class < info->classes; class ++)
        for (int split = 0; split < 2; split++)
            empty[split] += info->count[split] && !out->counts[2 * class + split];
    if (empty[0])
        add_problem(out, "%d of %d classes have no training sample", empty[0], info->classes);
    if (empty[1])
        add_problem(out, "%d of %d classes have no test sample", empty[1], info->classes);
}

/* ---- all of it ---- */

struct invar_survey *invar_survey_data(struct invar_dataset *dataset, const struct invar_watch *watch,
                                       struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    const bool read = !info->in_memory || info->kind == INVAR_DATA_AUDIO;
    struct invar_survey *survey = invar_alloc(1, sizeof *survey, err);

    if (!survey)
        return NULL;
    survey->counts = invar_alloc((size_t)info->classes + 1, 2 * sizeof *survey->counts, err);
    for (int split = INVAR_TRAIN; survey->counts && split <= INVAR_TEST; split++) {
        if (read && !read_split(dataset, (enum invar_split)split, &survey->clips, watch, err)) {
            invar_survey_free(survey);
            return NULL;
        }
        count_labels(dataset, (enum invar_split)split, survey->counts);
        survey->numbers[split] = measure_numbers(dataset, (enum invar_split)split);
    }
    if (!survey->counts) {
        invar_survey_free(survey);
        return NULL;
    }
    if (info->kind == INVAR_DATA_AUDIO)
        survey->clips.seen = (double)invar_logmel_span(&info->logmel, info->width) / info->logmel.rate;
    find_problems(dataset, survey);
    if (!find_names_alike(info, survey, err)) {
        invar_survey_free(survey);
        return NULL;
    }
    return survey;
}

void invar_survey_free(struct invar_survey *survey)
{
    if (!survey)
        return;
    invar_free(survey->counts);
    invar_free(survey);
}
