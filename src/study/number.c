/* SPDX-License-Identifier: Apache-2.0 */
/* invar probe where the label is a number: ridge regression and neighbours' means in the place of classifiers. */
#include "study/study.h"
#include "invar/memory.h"
#include "invar/regression.h"

#include <stdio.h>
#include <math.h>
#include <string.h>

/* ---- what there is for numbers ---- */

static bool needs_classes(const struct invar_dataset_info *info, const struct study_settings *settings,
                          const char *what, struct invar_error *err)
{
    return invar_error_set(err, INVAR_ERROR_USAGE,
                           "%s: its label %s is a number, and %s needs classes: probe it with method linear or "
                           "neighbours, or take it for classes with data.label_kind=class",
                           info->source, study_label_name(info, settings), what);
}

bool study_check_number(const struct invar_dataset_info *info, struct study_settings *settings,
                        const struct invar_probe_request *request, struct invar_error *err)
{
    char what[128];

    if (!info->label_number) {
        if (settings->method == STUDY_RIDGE || settings->for_numbers)
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s: its labels are classes, and %s is of labels that are numbers: leave it out, or "
                                   "take a column of numbers for what it is with data.label_kind=number",
                                   info->source, settings->for_numbers ? settings->for_numbers : "method ridge");
        return true;
    }
    snprintf(what, sizeof what, "--%s %s", settings->preset ? "preset" : "method",
             settings->preset ? settings->preset->name : study_methods[settings->method].name);
    if (settings->preset ||
        (settings->method != STUDY_LINEAR && settings->method != STUDY_RIDGE && settings->method != STUDY_NEIGHBOURS))
        return needs_classes(info, settings, what, err);
    for (int i = 0; i < request->baseline_count; i++)
        if (strcmp(request->baselines[i], "supervised") == 0)
            return needs_classes(info, settings, "baseline supervised", err);
    if (request->groups)
        return needs_classes(info, settings, "groups, which is accuracy,", err);
    if (settings->for_classes)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s is of labels that are classes, and the label of %s is a number, whose options are "
                               "alpha, folds and seed: leave it out, or set data.label_kind=class",
                               settings->for_classes, info->source);
    if (settings->method == STUDY_LINEAR)
        settings->method = STUDY_RIDGE;
    return true;
}

/* ---- rows with a target ---- */

bool study_keep_targets(struct invar_embedded *embedded, const double *targets, double **out, struct invar_error *err)
{
    const size_t width = (size_t)embedded->features.shape[1] * invar_dtype_size(embedded->features.dtype);
    int64_t *index = embedded->index.data, kept = 0;
    char *features = embedded->features.data;

    *out = invar_alloc((size_t)embedded->features.shape[0] + 1, sizeof **out, err);
    if (!*out)
        return false;
    for (int64_t i = 0; i < embedded->features.shape[0]; i++) {
        const double target = targets[index[i]];
        if (isnan(target))
            continue;
        if (kept < i)
            memcpy(features + (size_t)kept * width, features + (size_t)i * width, width);
        index[kept] = index[i];
        (*out)[kept++] = target;
    }
    embedded->labels.shape[0] = embedded->index.shape[0] = embedded->features.shape[0] = kept;
    return true;
}

/* ---- measuring ---- */

static struct invar_matrix features_of(const struct invar_embedded *embedded)
{
    const struct invar_array *array = &embedded->features;
    return (struct invar_matrix){array->dtype, array->shape[0], array->shape[1], array->data};
}

void study_add_spearman(cJSON *object, double spearman)
{
    if (isfinite(spearman))
        cJSON_AddNumberToObject(object, "spearman", spearman);
    else
        cJSON_AddStringToObject(object, "spearman_absent", "all predictions are equal, so they have no ranks");
}

static void add_measures(cJSON *object, const struct invar_regression *measured)
{
    cJSON_AddNumberToObject(object, "r2", measured->r2);
    cJSON_AddNumberToObject(object, "mae", measured->mae);
    cJSON_AddNumberToObject(object, "mse", measured->mse);
    study_add_spearman(object, measured->spearman);
}

static cJSON *ridge(const struct study_numbers *n, const struct invar_ridge_options *options, struct invar_error *err)
{
    const struct invar_matrix train = features_of(n->train), test = features_of(n->test);
    struct invar_ridge_result result;
    cJSON *object;

    if (!invar_ridge_fit(&train, n->train_targets, &test, n->test_targets, options, &result, err))
        return NULL;
    object = cJSON_CreateObject();
    add_measures(object, &result.test);
    cJSON_AddNumberToObject(object, "alpha", result.alpha);
    if (result.chosen)
        cJSON_AddNumberToObject(object, "held_out_r2", result.held_out_r2);
    cJSON_AddNumberToObject(object, "seconds", result.seconds);
    invar_ridge_result_free(&result);
    return object;
}

/* The means of the first k of the neighbours found, measured. */
static bool average(const struct study_numbers *n, const int64_t *index, const double *similarity, int64_t found,
                    int64_t k, double temperature, struct invar_regression *out, struct invar_error *err)
{
    const int64_t rows = n->test->features.shape[0];
    double *p = invar_alloc((size_t)rows, sizeof *p, err);
    const struct invar_matrix predictions = {INVAR_FLOAT64, rows, 1, p};
    const struct invar_matrix targets = {INVAR_FLOAT64, rows, 1, n->test_targets};

    for (int64_t i = 0; p && i < rows; i++)
        p[i] = invar_neighbours_average(index + i * found, similarity + i * found, k, n->train_targets, temperature);
    const bool ok = p && invar_regression_measure(&predictions, &targets, out, err);
    invar_free(p);
    return ok;
}

/* By every k of the options, the first of which is the result. */
static cJSON *describe_neighbours(const struct study_numbers *n, const struct invar_neighbours_options *options,
                                  const int64_t *index, const double *similarity, int64_t found,
                                  struct invar_error *err)
{
    cJSON *object = cJSON_CreateObject(), *by_k = cJSON_CreateObject();

    for (int i = 0; i < options->k.count; i++) {
        const int64_t k = options->k.value[i] < found ? options->k.value[i] : found;
        struct invar_regression measured;
        char name[32];
        if (!average(n, index, similarity, found, k, options->temperature, &measured, err)) {
            cJSON_Delete(object);
            cJSON_Delete(by_k);
            return NULL;
        }
        if (i == 0) {
            add_measures(object, &measured);
            cJSON_AddNumberToObject(object, "k", (double)k);
            cJSON_AddNumberToObject(object, "temperature", options->temperature);
        }
        snprintf(name, sizeof name, "%lld", (long long)k);
        cJSON_DeleteItemFromObjectCaseSensitive(by_k, name);
        cJSON_AddNumberToObject(by_k, name, measured.r2);
        invar_regression_free(&measured);
    }
    cJSON_AddItemToObject(object, "r2_by_k", by_k);
    return object;
}

static cJSON *neighbours(const struct study_numbers *n, const struct invar_neighbours_options *options,
                         struct invar_error *err)
{
    const struct invar_matrix train = features_of(n->train), test = features_of(n->test);
    const double started = invar_seconds();
    int64_t found = 1, *index = NULL;
    double *similarity = NULL;
    cJSON *object = NULL;

    for (int i = 0; i < options->k.count; i++)
        found = options->k.value[i] > found ? options->k.value[i] : found;
    found = found < train.rows ? found : train.rows;
    if (!invar_targets_check(n->train_targets, train.rows, "training samples", err) ||
        !invar_targets_check(n->test_targets, test.rows, "test samples", err))
        return NULL;
    index = invar_alloc((size_t)test.rows, (size_t)found * sizeof *index, err);
    similarity = invar_alloc((size_t)test.rows, (size_t)found * sizeof *similarity, err);
    if (index && similarity && invar_neighbours_find(&train, &test, found, index, similarity, err))
        object = describe_neighbours(n, options, index, similarity, found, err);
    if (object)
        cJSON_AddNumberToObject(object, "seconds", invar_seconds() - started);
    invar_free(index);
    invar_free(similarity);
    return object;
}

cJSON *study_measure_number(const struct study_numbers *numbers, const struct invar_dataset_info *info,
                            const struct study_settings *settings, struct invar_error *err)
{
    cJSON *object = settings->method == STUDY_NEIGHBOURS ? neighbours(numbers, &settings->knn, err)
                                                         : ridge(numbers, &settings->ridge, err);

    if (!object)
        return NULL;
    cJSON_AddStringToObject(object, "label_kind", "number");
    study_add_data(object, numbers->train, numbers->test, info);
    study_add_protocol(object, settings);
    return object;
}
