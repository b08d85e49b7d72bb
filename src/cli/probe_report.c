/* SPDX-License-Identifier: Apache-2.0 */
/* Results of `invar probe`: measured, as JSON, and as text. */
#include "cli/probe.h"
#include "base/json.h"
#include "invar/memory.h"

#include <math.h>
#include <string.h>

static struct invar_matrix features_of(const struct invar_embedded *embedded)
{
    const struct invar_array *array = &embedded->features;
    return (struct invar_matrix){array->dtype, array->shape[0], array->shape[1], array->data};
}

void probe_add_measures(cJSON *object, const struct probe_measures *m)
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

struct probe_measures probe_measures_of(const struct invar_accuracy *accuracy)
{
    return (struct probe_measures){accuracy->balanced_accuracy, accuracy->macro_f1, accuracy->auroc, accuracy->ece};
}

void probe_measures_average(struct probe_measures *mean, const struct invar_accuracy *draw, int64_t draws)
{
    mean->balanced_accuracy += draw->balanced_accuracy / (double)draws;
    mean->macro_f1 += draw->macro_f1 / (double)draws;
    mean->auroc += draw->auroc / (double)draws;
    mean->ece += draw->ece / (double)draws;
}

void probe_add_accuracy(cJSON *object, const struct invar_accuracy *accuracy)
{
    const struct probe_measures measures = probe_measures_of(accuracy);
    int classes = accuracy->classes;
    cJSON_AddNumberToObject(object, "top1", accuracy->top1);
    cJSON_AddItemToObject(object, "interval", cJSON_CreateDoubleArray((double[]){accuracy->low, accuracy->high}, 2));
    cJSON_AddNumberToObject(object, "top5", accuracy->top5);
    probe_add_measures(object, &measures);
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
                     const struct probe_settings *settings, struct invar_error *err)
{
    const struct invar_probe_options *options = &settings->linear;
    struct invar_probe_result result;
    struct invar_matrix train_features = features_of(train), test_features = features_of(test);
    if (!invar_probe_fit(&train_features, train->labels.data, &test_features, test->labels.data, classes, options,
                         &result, err))
        return NULL;
    if (!result.fit.converged)
        cli_message("warning: the probe stopped after %lld iterations with a gradient of %.1e, above %.1e; raise "
                    "iterations=%lld",
                    (long long)result.fit.iterations, result.fit.gradient_norm, options->tolerance,
                    (long long)options->iterations);
    cJSON *object = cJSON_CreateObject();
    probe_add_accuracy(object, &result.test);
    if (!probe_add_groups(object, &result.test, test->index.data, settings, err)) {
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
                         const struct probe_settings *settings, struct invar_error *err)
{
    const struct invar_neighbours_options *options = &settings->knn;
    struct invar_matrix train_features = features_of(train), test_features = features_of(test);
    int64_t found = 0, rows = test_features.rows;
    cJSON *object = NULL, *by_k = NULL;
    double started = cli_seconds();
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
            probe_add_accuracy(object, &accuracy);
            ok = probe_add_groups(object, &accuracy, test->index.data, settings, err);
            cJSON_AddNumberToObject(object, "k", (double)k);
            cJSON_AddNumberToObject(object, "temperature", options->temperature);
        }
        snprintf(name, sizeof name, "%lld", (long long)k);
        cJSON_DeleteItemFromObjectCaseSensitive(by_k, name);
        cJSON_AddNumberToObject(by_k, name, accuracy.top1);
        invar_accuracy_free(&accuracy);
    }
    cJSON_AddItemToObject(object, "top1_by_k", by_k);
    cJSON_AddNumberToObject(object, "seconds", cli_seconds() - started);
done:
    invar_free(index);
    invar_free(similarity);
    if (!ok) {
        cJSON_Delete(object);
        object = NULL;
    }
    return object;
}

void probe_add_data(cJSON *object, const struct invar_embedded *train, const struct invar_embedded *test,
                    const struct invar_dataset_info *info)
{
    cli_run_add_data(info, object);
    cJSON_AddNumberToObject(object, "train_count", (double)train->features.shape[0]);
    cJSON_AddNumberToObject(object, "test_count", (double)test->features.shape[0]);
    cJSON_AddNumberToObject(object, "dimensions", (double)train->features.shape[1]);
    if (info->class_names)
        cJSON_AddItemToObject(object, "classes", cJSON_CreateStringArray(info->class_names, info->classes));
}

cJSON *probe_measure(const struct invar_embedded *train, const struct invar_embedded *test,
                     const struct invar_dataset_info *info, const struct probe_settings *settings,
                     struct invar_error *err)
{
    cJSON *object = settings->method == PROBE_NEIGHBOURS ? neighbours(train, test, info->classes, settings, err)
                                                         : linear(train, test, info->classes, settings, err);
    if (!object)
        return NULL;
    probe_add_data(object, train, test, info);
    probe_add_protocol(object, settings);
    return object;
}

void probe_report_add(struct probe_report *report, const char *name, cJSON *result)
{
    cJSON_AddItemToObject(report->results, name, result);
}

static double number(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* How the encoder was trained, where that is part of a result: once, behind all of its results. */
static void print_training(const cJSON *result)
{
    const cJSON *training = cJSON_GetObjectItemCaseSensitive(result, "training");
    char seconds[32];
    if (training && (!result->next || !cJSON_GetObjectItemCaseSensitive(result->next, "training")))
        printf("%-20s trained on labels for %.0f steps in %s; best of them step %.0f, held out %.2f %% of %.0f; its "
               "own head %.2f %%\n",
               "", number(training, "steps"), cli_duration(number(training, "seconds"), seconds, sizeof seconds),
               number(training, "best_step"), number(training, "held_out_top1"), number(training, "held_out_count"),
               number(training, "head_top1"));
}

/* "  best epoch 61: 88.90 % (held out 89.20 %), lr 0.2, l2 0; last 80: 88.70 % ..." */
static void print_states(const cJSON *result)
{
    static const char *const names[] = {"best", "last"};

    for (int i = 0; i < 2; i++) {
        const cJSON *state = cJSON_GetObjectItemCaseSensitive(result, names[i]);
        const bool epochs = cJSON_GetObjectItemCaseSensitive(state, "epoch");
        printf("%s %s %s %.0f: %.2f %%", i ? ";" : " ", names[i], epochs ? "epoch" : "step",
               number(state, epochs ? "epoch" : "step"), number(state, "top1"));
        if (cJSON_GetObjectItemCaseSensitive(state, "held_out_top1"))
            printf(" (held out %.2f %%)", number(state, "held_out_top1"));
        if (epochs)
            printf(", lr %g, l2 %g", number(state, "lr"), number(state, "l2"));
    }
}

static void print_fit(const cJSON *result)
{
    const cJSON *by_k = cJSON_GetObjectItemCaseSensitive(result, "top1_by_k"), *item;
    const cJSON *draws = cJSON_GetObjectItemCaseSensitive(result, "top1_by_draw");
    char seconds[32];
    if (draws) {
        printf("  mean of %d draws of %.0f labels", cJSON_GetArraySize(draws), number(result, "train_count"));
    } else if (cJSON_GetObjectItemCaseSensitive(result, "last")) {
        print_states(result);
    } else if (!cJSON_GetObjectItemCaseSensitive(result, "l2") && !by_k) {
        printf("  trained beside the encoder");
    } else if (by_k) {
        cJSON_ArrayForEach(item, by_k) printf("  k %s: %.2f %%", item->string, item->valuedouble);
    } else {
        bool converged = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(result, "converged"));
        printf("  l2 %g", number(result, "l2"));
        if (cJSON_GetObjectItemCaseSensitive(result, "held_out_top1"))
            printf(" (held out %.2f %%)", number(result, "held_out_top1"));
        printf("  gradient %.1e, %s", number(result, "gradient_norm"), converged ? "converged" : "NOT CONVERGED");
    }
    printf("  %s\n", cli_duration(number(result, "seconds"), seconds, sizeof seconds));
}

static void print_classes(const cJSON *results, const struct invar_dataset_info *info)
{
    const cJSON *result;
    printf("\n%-24s", "per class, %");
    cJSON_ArrayForEach(result, results) if (cJSON_GetObjectItemCaseSensitive(result, "per_class"))
    {
        const char *baseline = strrchr(result->string, '_');
        printf(" %12.12s", baseline ? baseline + 1 : result->string);
    }
    printf("\n");
    for (int c = 0; c < info->classes; c++) {
        char name[32];
        snprintf(name, sizeof name, "%d", c);
        printf("%-24.24s", info->class_names ? info->class_names[c] : name);
        cJSON_ArrayForEach(result, results)
        {
            const cJSON *value = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(result, "per_class"), c);
            if (value)
                printf(" %12.2f", value->valuedouble);
        }
        printf("\n");
    }
}

static void print_interval(const cJSON *result)
{
    const cJSON *interval = cJSON_GetObjectItemCaseSensitive(result, "interval");
    const cJSON *low = cJSON_GetArrayItem(interval, 0), *high = cJSON_GetArrayItem(interval, 1);

    if (low && high)
        printf(" %8.2f - %7.2f", low->valuedouble, high->valuedouble);
    else
        printf(" %18s", "none");
}

static void print_fraction(const cJSON *result, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(result, name);

    if (cJSON_IsNumber(value))
        printf(" %9.4f", value->valuedouble);
    else
        printf(" %9s", "none");
}

/* What top-1 does not say: of classes of different size, and of probabilities. */
static void print_measures(const cJSON *results)
{
    static const char *const names[] = {"balanced_accuracy", "macro_f1", "auroc", "ece"};
    const cJSON *result, *absent = NULL;

    printf("\n%-20s %9s %9s %9s %9s\n", "fractions", "balanced", "macro F1", "AUROC", "ECE");
    cJSON_ArrayForEach(result, results)
    {
        printf("%-20s", result->string);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            print_fraction(result, names[i]);
        printf("\n");
        if (!absent)
            absent = cJSON_GetObjectItemCaseSensitive(result, "auroc_absent");
    }
    if (absent)
        printf("no AUROC: %s\n", absent->valuestring);
}

static bool any_by_class(const cJSON *results)
{
    const cJSON *result;

    cJSON_ArrayForEach(result, results) if (cJSON_GetObjectItemCaseSensitive(result, "per_class")) return true;
    return false;
}

/* What is needed to repeat a result, and to know what it is worth; of the first one, whose settings are those of all.
 */
static void print_protocol(const cJSON *result)
{
    const cJSON *protocol = cJSON_GetObjectItemCaseSensitive(result, "protocol");
    const cJSON *preset = cJSON_GetObjectItemCaseSensitive(protocol, "preset");
    const cJSON *differs = cJSON_GetObjectItemCaseSensitive(protocol, "differs"), *option;
    const cJSON *options = cJSON_GetObjectItemCaseSensitive(protocol, "options");
    int column = printf("protocol: %s%s%s%s", cJSON_GetObjectItemCaseSensitive(protocol, "method")->valuestring,
                        preset ? ", preset " : "", preset ? preset->valuestring : "", options->child ? ":" : "");

    cJSON_ArrayForEach(option, options)
    {
        char *value = json_print(option, false, option->string, NULL);
        const int width = (int)(strlen(option->string) + strlen(value ? value : "?") + 2);
        if (column + width > 118)
            column = printf("\n   ") - 1;
        column += printf(" %s %s%s", option->string, value ? value : "?", option->next ? "," : "");
        cJSON_free(value);
    }
    printf("\nchosen on %s\n", cJSON_GetObjectItemCaseSensitive(protocol, "chosen_on")->valuestring);
    if (differs)
        printf("not as in %s: %s\n", cJSON_GetObjectItemCaseSensitive(protocol, "source")->valuestring,
               differs->valuestring);
}

const char *probe_label_name(const struct invar_dataset_info *info, const struct probe_settings *settings)
{
    return settings->label ? settings->label : info->table ? info->table->label : "";
}

void probe_report_print(const struct probe_report *report, const struct probe_settings *settings,
                        const struct invar_dataset_info *info)
{
    const cJSON *result = report->results->child;
    const char *all = cJSON_GetObjectItemCaseSensitive(result, "drawn_from") ? "drawn_from" : "train_count";

    printf("%s: %.0f training and %.0f test samples ", info->source, number(result, all), number(result, "test_count"));
    if (info->label_number)
        printf("whose label %s is a number\n", probe_label_name(info, settings));
    else
        printf("of %d classes\n", info->classes);
    if (settings->label)
        printf("label: %s\n", settings->label);
    if (settings->hold_out)
        printf("held out: fitted without %s, measured on it\n", settings->hold_out);
    print_protocol(result);
    printf("\n");
    if (info->label_number) {
        probe_numbers_print(report->results);
        return;
    }
    printf("%-20s %8s %18s %8s %6s\n", "", "top-1 %", "95 % interval", "top-5 %", "dim");
    cJSON_ArrayForEach(result, report->results)
    {
        const bool top5 = cJSON_GetObjectItemCaseSensitive(result, "top5");
        printf("%-20s %8.2f", result->string, number(result, "top1"));
        print_interval(result);
        if (top5)
            printf(" %8.2f", number(result, "top5"));
        else
            printf(" %8s", "");
        printf(" %6.0f", number(result, "dimensions"));
        print_fit(result);
        print_training(result);
    }
    print_measures(report->results);
    probe_groups_print(report->results);
    if (info->classes <= 100 && any_by_class(report->results))
        print_classes(report->results, info);
}
