/* SPDX-License-Identifier: Apache-2.0 */
/* The linear probe, and neighbours, of features. */
#include "study/study.h"
#include "invar/log.h"
#include "invar/memory.h"

#include <stdio.h>
#include <math.h>
#include <string.h>

static struct invar_matrix features_of(const struct invar_embedded *embedded)
{
    const struct invar_array *array = &embedded->features;
    return (struct invar_matrix){array->dtype, array->shape[0], array->shape[1], array->data};
}

void study_add_measures(cJSON *object, const struct study_measures *m)
{
    cJSON_AddNumberToObject(object, "balanced_accuracy", m->balanced_accuracy);
    cJSON_AddNumberToObject(object, "macro_f1", m->macro_f1);
    if (isfinite(m->auroc))
        cJSON_AddNumberToObject(object, "auroc", m->auroc);
    else
        cJSON_AddStringToObject(object, "auroc_absent",
                                "all test samples are of one class, so there is nothing to tell apart");
    cJSON_AddNumberToObject(object, "ece", m->ece);
}

struct study_measures study_measures_of(const struct invar_accuracy *accuracy)
{
    return (struct study_measures){accuracy->balanced_accuracy, accuracy->macro_f1, accuracy->auroc, accuracy->ece};
}

void study_measures_average(struct study_measures *mean, const struct invar_accuracy *draw, int64_t draws)
{
    mean->balanced_accuracy += draw->balanced_accuracy / (double)draws;
    mean->macro_f1 += draw->macro_f1 / (double)draws;
    mean->auroc += draw->auroc / (double)draws;
    mean->ece += draw->ece / (double)draws;
}

void study_add_accuracy(cJSON *object, const struct invar_accuracy *accuracy)
{
    const struct study_measures measures = study_measures_of(accuracy);
    int classes = accuracy->classes;
    cJSON_AddNumberToObject(object, "top1", accuracy->top1);
    cJSON_AddItemToObject(object, "interval", cJSON_CreateDoubleArray((double[]){accuracy->low, accuracy->high}, 2));
    cJSON_AddNumberToObject(object, "top5", accuracy->top5);
    study_add_measures(object, &measures);
    cJSON_AddItemToObject(object, "per_class", cJSON_CreateDoubleArray(accuracy->per_class, classes));
    cJSON *confusion = cJSON_AddArrayToObject(object, "confusion");
    for (int c = 0; c < classes; c++) {
        cJSON *row = cJSON_CreateArray();
        for (int k = 0; k < classes; k++)
            cJSON_AddItemToArray(row, cJSON_CreateNumber((double)accuracy->confusion[c * classes + k]));
        cJSON_AddItemToArray(confusion, row);
    }
}

static cJSON *linear(const struct invar_embedded *train, const struct invar_embedded *test, int classes,
                     const struct study_settings *settings, struct invar_error *err)
{
    const struct invar_probe_options *options = &settings->linear;
    struct invar_probe_result result;
    struct invar_matrix train_features = features_of(train), test_features = features_of(test);
    if (!invar_probe_fit(&train_features, train->labels.data, &test_features, test->labels.data, classes, options,
                         &result, err))
        return NULL;
    if (!result.fit.converged)
        invar_log(INVAR_LOG_WARNING,
                  "the probe stopped after %lld iterations with a gradient of %.1e, above %.1e; raise "
                  "iterations=%lld",
                  (long long)result.fit.iterations, result.fit.gradient_norm, options->tolerance,
                  (long long)options->iterations);
    cJSON *object = cJSON_CreateObject();
    study_add_accuracy(object, &result.test);
    if (!study_add_groups(object, &result.test, test->index.data, settings, err)) {
        cJSON_Delete(object);
        object = NULL;
        goto done;
    }
    cJSON_AddNumberToObject(object, "l2", result.l2);
    if (result.held_out_count) {
        cJSON_AddNumberToObject(object, "held_out_count", (double)result.held_out_count);
        cJSON_AddNumberToObject(object, "held_out_top1", result.held_out_top1);
    }
    cJSON_AddNumberToObject(object, "objective", result.fit.objective);
    cJSON_AddNumberToObject(object, "cross_entropy", result.fit.cross_entropy);
    cJSON_AddNumberToObject(object, "gradient_norm", result.fit.gradient_norm);
    cJSON_AddNumberToObject(object, "iterations", (double)result.fit.iterations);
    cJSON_AddBoolToObject(object, "converged", result.fit.converged);
    cJSON_AddNumberToObject(object, "seconds", result.seconds);
done:
    invar_probe_result_free(&result);
    return object;
}

/* Accuracy with the first k of the neighbours found; whole: what the shares of votes are worth, too. */
static bool vote(const int64_t *index, const double *similarity, int64_t found, int64_t k,
                 const struct invar_embedded *train, const struct invar_embedded *test, int classes, double temperature,
                 bool whole, struct invar_accuracy *out, struct invar_error *err)
{
    int64_t rows = test->features.shape[0];
    struct invar_matrix scores = {INVAR_FLOAT64, rows, classes, NULL};
    double *data = invar_alloc((size_t)rows, (size_t)classes * sizeof *data, err);
    scores.data = data;
    for (int64_t i = 0; data && i < rows; i++)
        invar_neighbours_vote(index + i * found, similarity + i * found, k, train->labels.data, classes, temperature,
                              data + i * classes);
    bool ok = data && invar_accuracy_measure(&scores, test->labels.data, out, err) &&
              (!whole || invar_accuracy_add_probabilities(out, &scores, INVAR_SCORES_VOTES, test->labels.data, err));
    invar_free(data);
    return ok;
}

static bool train_labels_known(const struct invar_embedded *train, struct invar_error *err)
{
    const int64_t *labels = train->labels.data;
    for (int64_t i = 0; i < train->labels.shape[0]; i++)
        if (labels[i] < 0)
            return invar_error_set(err, INVAR_ERROR_DATA,
                                   "row %lld of the training samples has no label; every row needs one", (long long)i);
    return true;
}

static cJSON *neighbours(const struct invar_embedded *train, const struct invar_embedded *test, int classes,
                         const struct study_settings *settings, struct invar_error *err)
{
    const struct invar_neighbours_options *options = &settings->knn;
    struct invar_matrix train_features = features_of(train), test_features = features_of(test);
    int64_t found = 0, rows = test_features.rows;
    cJSON *object = NULL, *by_k = NULL;
    double started = invar_seconds();
    for (int i = 0; i < options->k.count; i++)
        found = options->k.value[i] > found ? options->k.value[i] : found;
    found = found < train_features.rows ? found : train_features.rows;
    int64_t *index = invar_alloc((size_t)rows, (size_t)(found + 1) * sizeof *index, err);
    double *similarity = invar_alloc((size_t)rows, (size_t)(found + 1) * sizeof *similarity, err);
    bool ok = index && similarity && train_labels_known(train, err) &&
              invar_neighbours_find(&train_features, &test_features, found, index, similarity, err);
    if (!ok)
        goto done;
    object = cJSON_CreateObject();
    by_k = cJSON_CreateObject();
    for (int i = 0; ok && i < options->k.count; i++) {
        struct invar_accuracy accuracy;
        int64_t k = options->k.value[i] < found ? options->k.value[i] : found;
        char name[32];
        ok = vote(index, similarity, found, k, train, test, classes, options->temperature, i == 0, &accuracy, err);
        if (!ok)
            break;
        if (i == 0) {
            study_add_accuracy(object, &accuracy);
            ok = study_add_groups(object, &accuracy, test->index.data, settings, err);
            cJSON_AddNumberToObject(object, "k", (double)k);
            cJSON_AddNumberToObject(object, "temperature", options->temperature);
        }
        snprintf(name, sizeof name, "%lld", (long long)k);
        cJSON_DeleteItemFromObjectCaseSensitive(by_k, name);
        cJSON_AddNumberToObject(by_k, name, accuracy.top1);
        invar_accuracy_free(&accuracy);
    }
    cJSON_AddItemToObject(object, "top1_by_k", by_k);
    cJSON_AddNumberToObject(object, "seconds", invar_seconds() - started);
done:
    invar_free(index);
    invar_free(similarity);
    if (!ok) {
        cJSON_Delete(object);
        object = NULL;
    }
    return object;
}

void study_add_data(cJSON *object, const struct invar_embedded *train, const struct invar_embedded *test,
                    const struct invar_dataset_info *info)
{
    run_add_data(info, object);
    cJSON_AddNumberToObject(object, "train_count", (double)train->features.shape[0]);
    cJSON_AddNumberToObject(object, "test_count", (double)test->features.shape[0]);
    cJSON_AddNumberToObject(object, "dimensions", (double)train->features.shape[1]);
    if (info->class_names)
        cJSON_AddItemToObject(object, "classes", cJSON_CreateStringArray(info->class_names, info->classes));
}

cJSON *study_measure(const struct invar_embedded *train, const struct invar_embedded *test,
                     const struct invar_dataset_info *info, const struct study_settings *settings,
                     struct invar_error *err)
{
    cJSON *object = settings->method == STUDY_NEIGHBOURS ? neighbours(train, test, info->classes, settings, err)
                                                         : linear(train, test, info->classes, settings, err);
    if (!object)
        return NULL;
    study_add_data(object, train, test, info);
    study_add_protocol(object, settings);
    return object;
}

const char *study_label_name(const struct invar_dataset_info *info, const struct study_settings *settings)
{
    return settings->label ? settings->label : info->table ? info->table->label : "";
}
