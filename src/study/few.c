/* SPDX-License-Identifier: Apache-2.0 */
/* The linear probe with few labels: several draws of them, the mean accuracy and how sure it is. */
#include "study/study.h"
#include "invar/log.h"
#include "invar/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of few labels a tenth would be too few to choose the strength of the penalty by, and one choice too much of a chance:
 * the median of several is taken. */
#define HELD_OUT 0.5
enum { SPLITS = 5 };

bool study_labels_read(struct study_labels *out, const char *text, struct invar_error *err)
{
    char *end = NULL;
    const double value = strtod(text, &end);
    const bool percent = end != text && strcmp(end, "%") == 0;

    *out = (struct study_labels){.text = text};
    if (strcmp(text, "all") == 0)
        return true;
    if (percent && value > 0 && value < 100)
        out->fraction = value / 100;
    else if (end != text && !*end && value >= 1 && value <= 1e9 && value == floor(value))
        out->per_class = (int64_t)value;
    else
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "labels is \"%s\"; expected labels of every class (20), a part of them (1%%) or all",
                               text);
    return true;
}

/* The rows of one draw, in room for all of them. */
static void take_rows(const struct invar_embedded *from, const int64_t *index, int64_t count,
                      const struct invar_matrix *features, int64_t *labels)
{
    const size_t bytes = (size_t)features->cols * sizeof(float);

    for (int64_t i = 0; i < count; i++) {
        memcpy((char *)features->data + (size_t)i * bytes, (const char *)from->features.data + (size_t)index[i] * bytes,
               bytes);
        labels[i] = ((const int64_t *)from->labels.data)[index[i]];
    }
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One draw: the strength as the median of those that several held-out halves choose, and the fit with it. */
static bool fit_draw(const struct invar_matrix *features, const int64_t *labels, const struct invar_matrix *test,
                     const int64_t *test_labels, int classes, const struct invar_probe_options *options,
                     struct invar_probe_result *out, struct invar_error *err)
{
    struct invar_probe_options once = *options;
    double chosen[SPLITS];

    for (int split = 0; options->l2.count > 1 && split < SPLITS; split++) {
        once.seed = options->seed + split;
        if (!invar_probe_fit(features, labels, NULL, NULL, classes, &once, out, err))
            return false;
        chosen[split] = out->l2;
        invar_probe_result_free(out);
    }
    if (options->l2.count > 1) {
        qsort(chosen, SPLITS, sizeof *chosen, ascending);
        once.l2 = (struct invar_real_list){1, {chosen[SPLITS / 2]}};
    }
    return invar_probe_fit(features, labels, test, test_labels, classes, &once, out, err);
}

/* What several draws gave. */
struct draws {
    double *top1, *l2;          /* [draws] */
    struct study_measures mean; /* of them */
    int64_t used;               /* labels of a draw */
    int64_t unconverged;
};

static bool measure_draws(const struct invar_embedded *train, const struct invar_embedded *test, int classes,
                          const struct study_settings *settings, const struct study_labels *few, struct draws *out,
                          struct invar_error *err)
{
    const int64_t rows = train->features.shape[0], cols = train->features.shape[1];
    const struct invar_matrix test_features = {INVAR_FLOAT32, test->features.shape[0], cols, test->features.data};
    struct invar_probe_options options = settings->linear;
    struct invar_matrix features = {INVAR_FLOAT32, rows, cols, NULL};
    int64_t *index = invar_alloc((size_t)rows, sizeof *index, err);
    int64_t *labels = invar_alloc((size_t)rows, sizeof *labels, err);
    bool ok = false;

    if (!settings->held_out_given)
        options.held_out = HELD_OUT;
    features.data = invar_alloc((size_t)rows, (size_t)cols * sizeof(float), err);
    if (!index || !labels || !features.data)
        goto done;
    for (int64_t draw = 0; draw < settings->draws; draw++) {
        const struct invar_label_draw how = {
            .per_class = few->per_class, .fraction = few->fraction, .seed = options.seed, .draw = 1 + draw};
        struct invar_probe_result result;
        if (!invar_draw_labelled(train->labels.data, rows, classes, &how, index, &out->used, err))
            goto done;
        features.rows = out->used;
        take_rows(train, index, out->used, &features, labels);
        if (!fit_draw(&features, labels, &test_features, test->labels.data, classes, &options, &result, err))
            goto done;
        out->top1[draw] = result.test.top1;
        out->l2[draw] = result.l2;
        study_measures_average(&out->mean, &result.test, settings->draws);
        out->unconverged += !result.fit.converged;
        invar_probe_result_free(&result);
    }
    ok = true;
done:
    invar_free(index);
    invar_free(labels);
    invar_free(features.data);
    return ok;
}

void study_add_interval(cJSON *object, const double *top1, int64_t draws)
{
    double mean = 0, squares = 0;

    for (int64_t i = 0; i < draws; i++)
        mean += top1[i] / (double)draws;
    for (int64_t i = 0; i < draws; i++)
        squares += (top1[i] - mean) * (top1[i] - mean);
    cJSON_AddNumberToObject(object, "top1", mean);
    if (draws > 1) {
        const double half = invar_student_95(draws - 1) * sqrt(squares / (double)(draws - 1) / (double)draws);
        cJSON_AddItemToObject(object, "interval",
                              cJSON_CreateDoubleArray((double[]){fmax(mean - half, 0), fmin(mean + half, 100)}, 2));
    }
}

cJSON *study_measure_few(const struct invar_embedded *train, const struct invar_embedded *test,
                         const struct invar_dataset_info *info, const struct study_settings *settings,
                         const struct study_labels *labels, struct invar_error *err)
{
    const double started = invar_seconds();
    struct draws draws = {.top1 = invar_alloc((size_t)settings->draws, sizeof *draws.top1, err),
                          .l2 = invar_alloc((size_t)settings->draws, sizeof *draws.l2, err)};
    struct study_settings used = *settings;
    cJSON *object = NULL;

    if (!draws.top1 || !draws.l2 || !measure_draws(train, test, info->classes, settings, labels, &draws, err))
        goto done;
    if (draws.unconverged)
        invar_log(INVAR_LOG_WARNING, "%lld of %lld probes with few labels did not converge; raise iterations",
                  (long long)draws.unconverged, (long long)settings->draws);
    object = cJSON_CreateObject();
    study_add_interval(object, draws.top1, settings->draws);
    study_add_measures(object, &draws.mean);
    cJSON_AddStringToObject(object, "labels", labels->text);
    cJSON_AddItemToObject(object, "top1_by_draw", cJSON_CreateDoubleArray(draws.top1, (int)settings->draws));
    cJSON_AddItemToObject(object, "l2_by_draw", cJSON_CreateDoubleArray(draws.l2, (int)settings->draws));
    cJSON_AddBoolToObject(object, "converged", draws.unconverged == 0);
    cJSON_AddNumberToObject(object, "seconds", invar_seconds() - started);
    run_add_data(info, object);
    cJSON_AddNumberToObject(object, "train_count", (double)draws.used);
    cJSON_AddNumberToObject(object, "drawn_from", (double)train->features.shape[0]);
    cJSON_AddNumberToObject(object, "test_count", (double)test->features.shape[0]);
    cJSON_AddNumberToObject(object, "dimensions", (double)train->features.shape[1]);
    if (!settings->held_out_given)
        used.linear.held_out = HELD_OUT;
    study_add_protocol(object, &used);
done:
    invar_free(draws.top1);
    invar_free(draws.l2);
    return object;
}
