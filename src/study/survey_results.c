/* SPDX-License-Identifier: Apache-2.0 */
/* A survey of data as results. */
#include "invar/study.h"
#include "run/results.h"

static const char *const column_kinds[] = {[INVAR_COLUMN_NUMERIC] = "numeric",
                                           [INVAR_COLUMN_CATEGORICAL] = "categorical",
                                           [INVAR_COLUMN_CONSTANT] = "left out"};

static void add_group(cJSON *groups, const char *key, const char *name, int64_t samples)
{
    cJSON *group = cJSON_AddObjectToObject(groups, key);
    cJSON_AddStringToObject(group, "name", name);
    cJSON_AddNumberToObject(group, "train", (double)samples);
}

static void add_groups(cJSON *root, const struct invar_dataset_info *info)
{
    cJSON *groups = cJSON_AddObjectToObject(root, "groups");
    cJSON_AddNumberToObject(groups, "count", (double)info->groups);
    add_group(groups, "smallest", info->smallest_group.name, info->smallest_group.samples);
    add_group(groups, "largest", info->largest_group.name, info->largest_group.samples);
}

static void add_columns(cJSON *root, const struct invar_table *table)
{
    cJSON *columns = cJSON_AddArrayToObject(root, "columns");
    for (int c = 0; c < table->count; c++) {
        const struct invar_column *column = &table->column[c];
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddItemToArray(columns, entry);
        cJSON_AddStringToObject(entry, "name", column->name);
        cJSON_AddStringToObject(entry, "kind", column_kinds[column->kind]);
        cJSON_AddNumberToObject(entry, "first", column->first);
        cJSON_AddNumberToObject(entry, "places", column->places);
        if (column->kind == INVAR_COLUMN_NUMERIC) {
            cJSON_AddNumberToObject(entry, "mean", column->mean);
            cJSON_AddNumberToObject(entry, "deviation", column->deviation);
            cJSON_AddStringToObject(entry, "read", column->read);
        }
        if (column->kind == INVAR_COLUMN_CATEGORICAL)
            cJSON_AddItemToObject(entry, "categories",
                                  cJSON_CreateStringArray((const char *const *)column->category, column->categories));
        cJSON *missing = cJSON_AddObjectToObject(entry, "missing");
        cJSON_AddNumberToObject(missing, "train", (double)column->missing[INVAR_TRAIN]);
        cJSON_AddNumberToObject(missing, "test", (double)column->missing[INVAR_TEST]);
        cJSON *unseen = cJSON_AddObjectToObject(entry, "unseen");
        cJSON_AddNumberToObject(unseen, "train", (double)column->unseen[INVAR_TRAIN]);
        cJSON_AddNumberToObject(unseen, "test", (double)column->unseen[INVAR_TEST]);
    }
    cJSON_AddStringToObject(root, "label", table->label);
}

static void add_label(cJSON *root, const struct invar_survey *survey, const struct invar_dataset_info *info)
{
    const char *const names[2] = {"train", "test"};

    cJSON_AddStringToObject(root, "label_kind", info->label_number ? "number" : "class");
    cJSON_AddStringToObject(root, "label_reason", info->table->label_reason);
    if (!info->label_number)
        return;
    cJSON *object = cJSON_AddObjectToObject(root, "label_numbers");
    for (int split = 0; split < 2; split++) {
        const struct invar_survey_numbers numbers = survey->numbers[split];
        cJSON *entry = cJSON_AddObjectToObject(object, names[split]);
        cJSON_AddNumberToObject(entry, "count", (double)numbers.labelled);
        if (!numbers.labelled)
            continue;
        cJSON_AddNumberToObject(entry, "least", numbers.least);
        cJSON_AddNumberToObject(entry, "most", numbers.most);
        cJSON_AddNumberToObject(entry, "mean", numbers.mean);
        cJSON_AddNumberToObject(entry, "deviation", numbers.deviation);
    }
}

static void add_clips(cJSON *root, const struct invar_survey_clips *clips, const struct invar_dataset_info *info)
{
    const struct invar_logmel_options *l = &info->logmel;
    cJSON *object = cJSON_AddObjectToObject(root, "clips");

    cJSON_AddNumberToObject(object, "rate", l->rate);
    cJSON_AddNumberToObject(object, "shortest", clips->shortest);
    cJSON_AddNumberToObject(object, "longest", clips->longest);
    cJSON_AddNumberToObject(object, "total", clips->total);
    cJSON_AddNumberToObject(object, "silent", (double)clips->silent);
    cJSON_AddNumberToObject(object, "seen", clips->seen);
    cJSON_AddNumberToObject(object, "n_fft", (double)l->n_fft);
    cJSON_AddNumberToObject(object, "hop", (double)l->hop);
    cJSON_AddNumberToObject(object, "f_min", l->f_min);
    cJSON_AddNumberToObject(object, "f_max", l->f_max);
}

static void add_samples(cJSON *root, const struct invar_survey *survey, const struct invar_dataset_info *info)
{
    cJSON_AddStringToObject(root, "source", info->source);
    cJSON *samples = cJSON_AddObjectToObject(root, "samples");
    cJSON_AddNumberToObject(samples, "train", (double)info->count[0]);
    cJSON_AddNumberToObject(samples, "test", (double)info->count[1]);
    cJSON *shape = cJSON_AddObjectToObject(root, "shape");
    cJSON_AddNumberToObject(shape, "height", info->height);
    cJSON_AddNumberToObject(shape, "width", info->width);
    cJSON_AddNumberToObject(shape, "channels", info->channels);
    cJSON_AddBoolToObject(shape, "varying", info->varying);
    cJSON_AddBoolToObject(root, "labelled", info->labelled);
    cJSON_AddBoolToObject(root, "in_memory", info->in_memory);
    cJSON *classes = cJSON_AddArrayToObject(root, "classes");
    for (int class = 0; class < info->classes; class ++) {
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddStringToObject(entry, "name", info->class_names ? info->class_names[class] : "");
        cJSON_AddNumberToObject(entry, "train", (double)survey->counts[2 * class]);
        cJSON_AddNumberToObject(entry, "test", (double)survey->counts[2 * class + 1]);
        cJSON_AddItemToArray(classes, entry);
    }
}

static void add_kind(cJSON *root, const struct invar_survey *survey, const struct invar_dataset_info *info)
{
    if (info->groups)
        add_groups(root, info);
    if (info->kind == INVAR_DATA_AUDIO)
        add_clips(root, &survey->clips, info);
    if (info->table) {
        add_columns(root, info->table);
        if (info->table->label[0])
            add_label(root, survey, info);
    } else {
        cJSON_AddItemToObject(root, "mean", cJSON_CreateFloatArray(info->mean, info->channels));
        cJSON_AddItemToObject(root, "deviation", cJSON_CreateFloatArray(info->deviation, info->channels));
    }
}

struct invar_results *invar_survey_results(const struct invar_survey *survey, const struct invar_dataset *dataset,
                                           struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    struct invar_results *results = run_results_create(err);
    cJSON *root = results ? results->root : NULL;

    if (!results)
        return NULL;
    add_samples(root, survey, info);
    add_kind(root, survey, info);
    cJSON_AddNumberToObject(root, "skipped", (double)info->skipped);
    if (info->kind != INVAR_DATA_TABLE) {
        cJSON *others = cJSON_AddObjectToObject(root, "other_files");
        cJSON_AddNumberToObject(others, "count", (double)info->other_files);
        cJSON_AddStringToObject(others, "endings", info->other_endings);
        cJSON_AddNumberToObject(root, "closed_folders", (double)info->closed_folders);
    }
    if (info->kind == INVAR_DATA_IMAGE) {
        cJSON_AddNumberToObject(root, "turned", (double)info->turned);
        cJSON_AddNumberToObject(root, "converted", (double)info->converted);
    }
    cJSON *list = cJSON_AddArrayToObject(root, "problems");
    for (int i = 0; i < survey->problem_count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(survey->problem[i]));
    return results;
}
