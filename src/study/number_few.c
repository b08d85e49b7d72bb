/* SPDX-License-Identifier: Apache-2.0 */
/* Ridge regression with few labels: several draws of rows, the mean of what they give and how sure it is. */
#include "study/study.h"
#include "invar/memory.h"
#include "invar/expert/random.h"

#include <math.h>
#include <string.h>

/* What several draws gave: by draw, and means. */
struct draws {
    double *r2, *alpha; /* [draws] */
    double mae, mse, spearman;
    int64_t used; /* rows of a draw */
};

static bool count_rows(const struct study_labels *few, int64_t rows, int64_t *out, struct invar_error *err)
{
    const int64_t part = few->per_class > 0 ? few->per_class : llround(few->fraction * (double)rows);

    if (few->per_class > rows)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "labels %s: %lld training samples have a label: ask for so many or less, or "
                               "for all",
                               few->text, (long long)rows);
    *out = part;
    return part >= 2 ||
           invar_error_set(err, INVAR_ERROR_DATA,
                           "labels %s of %lld training samples is %lld; a regression needs 2 at least: ask for more",
                           few->text, (long long)rows, (long long)part);
}

/* The first rows of a shuffled order. */
static void take_rows(const struct study_numbers *n, const struct study_settings *settings, int64_t draw,
                      int64_t *order, const struct invar_matrix *features, double *targets)
{
    const int64_t rows = n->train->features.shape[0];
    const size_t width = (size_t)features->cols * sizeof(float);
    struct invar_random random =
        invar_random_stream((uint64_t)settings->ridge.seed, INVAR_RANDOM_SPLIT, 2 + (uint64_t)draw, 0, 0);

    for (int64_t i = 0; i < rows; i++)
        order[i] = i;
    invar_random_shuffle(&random, order, rows);
    for (int64_t i = 0; i < features->rows; i++) {
        memcpy((char *)features->data + (size_t)i * width,
               (const char *)n->train->features.data + (size_t)order[i] * width, width);
        targets[i] = n->train_targets[order[i]];
    }
}

static bool measure_draws(const struct study_numbers *n, const struct study_settings *settings, struct draws *out,
                          struct invar_error *err)
{
    const int64_t rows = n->train->features.shape[0], cols = n->train->features.shape[1];
    const struct invar_matrix test = {INVAR_FLOAT32, n->test->features.shape[0], cols, n->test->features.data};
    struct invar_matrix features = {INVAR_FLOAT32, out->used, cols, NULL};
    struct invar_ridge_options options = settings->ridge;
    int64_t *order = invar_alloc((size_t)rows, sizeof *order, err);
    double *targets = invar_alloc((size_t)rows, sizeof *targets, err);
    bool ok = order && targets;

    if (options.folds > out->used)
        options.folds = out->used;
    features.data = invar_alloc((size_t)out->used, (size_t)cols * sizeof(float), err);
    for (int64_t draw = 0; ok && features.data && draw < settings->draws; draw++) {
        struct invar_ridge_result result;
        take_rows(n, settings, draw, order, &features, targets);
        ok = invar_ridge_fit(&features, targets, &test, n->test_targets, &options, &result, err);
        if (!ok)
            break;
        out->r2[draw] = result.test.r2;
        out->alpha[draw] = result.alpha;
        out->mae += result.test.mae / (double)settings->draws;
        out->mse += result.test.mse / (double)settings->draws;
        out->spearman += result.test.spearman / (double)settings->draws;
        invar_ridge_result_free(&result);
    }
    ok = ok && features.data;
    invar_free(features.data);
    invar_free(order);
    invar_free(targets);
    return ok;
}

static void add_mean(cJSON *object, const double *r2, int64_t draws)
{
    double mean = 0, squares = 0;

    for (int64_t i = 0; i < draws; i++)
        mean += r2[i] / (double)draws;
    for (int64_t i = 0; i < draws; i++)
        squares += (r2[i] - mean) * (r2[i] - mean);
    cJSON_AddNumberToObject(object, "r2", mean);
    if (draws > 1) {
        const double half = invar_student_95(draws - 1) * sqrt(squares / (double)(draws - 1) / (double)draws);
        cJSON_AddItemToObject(object, "interval",
                              cJSON_CreateDoubleArray((double[]){mean - half, fmin(mean + half, 1)}, 2));
    }
}

cJSON *study_measure_number_few(const struct study_numbers *numbers, const struct invar_dataset_info *info,
                                const struct study_settings *settings, const struct study_labels *labels,
                                struct invar_error *err)
{
    const double started = invar_seconds();
    struct draws draws = {.r2 = invar_alloc((size_t)settings->draws, sizeof *draws.r2, err),
                          .alpha = invar_alloc((size_t)settings->draws, sizeof *draws.alpha, err)};
    cJSON *object = NULL;

    if (!draws.r2 || !draws.alpha || !count_rows(labels, numbers->train->features.shape[0], &draws.used, err) ||
        !measure_draws(numbers, settings, &draws, err))
        goto done;
    object = cJSON_CreateObject();
    add_mean(object, draws.r2, settings->draws);
    cJSON_AddNumberToObject(object, "mae", draws.mae);
    cJSON_AddNumberToObject(object, "mse", draws.mse);
    study_add_spearman(object, draws.spearman);
    cJSON_AddStringToObject(object, "label_kind", "number");
    cJSON_AddStringToObject(object, "labels", labels->text);
    cJSON_AddItemToObject(object, "r2_by_draw", cJSON_CreateDoubleArray(draws.r2, (int)settings->draws));
    cJSON_AddItemToObject(object, "alpha_by_draw", cJSON_CreateDoubleArray(draws.alpha, (int)settings->draws));
    cJSON_AddNumberToObject(object, "seconds", invar_seconds() - started);
    study_add_data(object, numbers->train, numbers->test, info);
    cJSON_AddNumberToObject(object, "drawn_from", (double)numbers->train->features.shape[0]);
    cJSON_ReplaceItemInObjectCaseSensitive(object, "train_count", cJSON_CreateNumber((double)draws.used));
    study_add_protocol(object, settings);
done:
    invar_free(draws.r2);
    invar_free(draws.alpha);
    return object;
}
