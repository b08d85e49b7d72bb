/* SPDX-License-Identifier: Apache-2.0 */
/* Ridge regression with few labels: several draws of rows, the mean of what they give and how sure it is. */
#include "study/study.h"
#include "invar/memory.h"
#include "invar/expert/random.h"

#include <math.h>
#include <string.h>

/* What several draws gave, by draw. */
struct draws {
    double *r2, *alpha; /* [draws] */
    int64_t used;       /* rows of a draw */
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
static void take_rows(const struct study_subject *subject, int64_t seed, int64_t draw, int64_t *order,
                      const struct invar_matrix *features, double *targets)
{
    const struct invar_array *from = &subject->train.features;
    const size_t width = (size_t)features->cols * sizeof(float);
    struct invar_random random = invar_random_stream((uint64_t)seed, INVAR_RANDOM_SPLIT, 2 + (uint64_t)draw, 0, 0);

    for (int64_t i = 0; i < from->shape[0]; i++)
        order[i] = i;
    invar_random_shuffle(&random, order, from->shape[0]);
    for (int64_t i = 0; i < features->rows; i++) {
        memcpy((char *)features->data + (size_t)i * width, (const char *)from->data + (size_t)order[i] * width, width);
        targets[i] = subject->train_targets[order[i]];
    }
}

static bool measure_draws(const struct study_subject *subject, struct draws *draws, struct invar_probed *out,
                          struct invar_error *err)
{
    const struct invar_matrix test = study_features(&subject->test);
    const int64_t rows = subject->train.features.shape[0], count = subject->settings->draws;
    struct invar_ridge_options options = *(const struct invar_ridge_options *)subject->options;
    struct invar_matrix features = {INVAR_FLOAT32, draws->used, test.cols, NULL};
    int64_t *order = invar_alloc((size_t)rows, sizeof *order, err);
    double *targets = invar_alloc((size_t)rows, sizeof *targets, err);
    bool ok = order && targets;

    if (options.folds > draws->used)
        options.folds = draws->used;
    features.data = invar_alloc((size_t)draws->used, (size_t)test.cols * sizeof(float), err);
    for (int64_t draw = 0; ok && features.data && draw < count; draw++) {
        struct invar_ridge_result result;
        take_rows(subject, options.seed, draw, order, &features, targets);
        ok = invar_ridge_fit(&features, targets, &test, subject->test_targets, &options, &result, err);
        if (!ok)
            break;
        draws->r2[draw] = result.test.r2;
        draws->alpha[draw] = result.alpha;
        study_add_share(&out->mae, result.test.mae, draw, count);
        study_add_share(&out->mse, result.test.mse, draw, count);
        study_add_share(&out->spearman, result.test.spearman, draw, count);
        invar_ridge_result_free(&result);
    }
    ok = ok && features.data;
    invar_free(features.data);
    invar_free(order);
    invar_free(targets);
    return ok;
}

bool study_ridge_few(const struct study_subject *subject, const struct study_labels *labels, struct invar_probed *out,
                     struct invar_error *err)
{
    const double started = invar_seconds();
    const int64_t count = subject->settings->draws;
    struct draws draws = {.r2 = invar_alloc((size_t)count, sizeof *draws.r2, err),
                          .alpha = invar_alloc((size_t)count, sizeof *draws.alpha, err)};
    const bool ok = draws.r2 && draws.alpha && count_rows(labels, subject->train.features.shape[0], &draws.used, err) &&
                    measure_draws(subject, &draws, out, err);

    if (ok) {
        out->r2 = study_mean_of(draws.r2, count, (double)-INFINITY, 1, out->interval);
        study_put_spearman(out->spearman, out);
        out->label_kind = "number";
        out->labels = json_room_text(subject->room, labels->text);
        out->r2_by_draw = study_keep_numbers(subject, draws.r2, count);
        out->alpha_by_draw = study_keep_numbers(subject, draws.alpha, count);
        out->seconds = invar_seconds() - started;
        study_put_features(subject, out);
        out->drawn_from = out->train_count;
        out->train_count = draws.used;
        study_put_protocol(subject, subject->options, out);
    }
    invar_free(draws.r2);
    invar_free(draws.alpha);
    return ok;
}
