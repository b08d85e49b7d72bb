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

bool study_is_few(const struct study_labels *labels)
{
    return labels->per_class > 0 || labels->fraction > 0;
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
    double *top1, *l2; /* [draws] */
    int64_t used;      /* labels of a draw */
    int64_t unconverged;
};

static bool measure_draws(const struct study_subject *subject, const struct study_labels *few,
                          const struct invar_probe_options *options, struct draws *draws, struct invar_probed *out,
                          struct invar_error *err)
{
    const struct invar_matrix test = study_features(&subject->test);
    const int64_t rows = subject->train.features.shape[0], count = subject->settings->draws;
    const int classes = invar_dataset_info(subject->run->dataset)->classes;
    struct invar_matrix features = {INVAR_FLOAT32, rows, test.cols, NULL};
    int64_t *index = invar_alloc((size_t)rows, sizeof *index, err);
    int64_t *labels = invar_alloc((size_t)rows, sizeof *labels, err);
    bool ok = false;

    features.data = invar_alloc((size_t)rows, (size_t)test.cols * sizeof(float), err);
    if (!index || !labels || !features.data)
        goto done;
    for (int64_t draw = 0; draw < count; draw++) {
        const struct invar_label_draw how = {
            .per_class = few->per_class, .fraction = few->fraction, .seed = options->seed, .draw = 1 + draw};
        struct invar_probe_result result;
        if (!invar_draw_labelled(subject->train.labels.data, rows, classes, &how, index, &draws->used, err))
            goto done;
        features.rows = draws->used;
        take_rows(&subject->train, index, draws->used, &features, labels);
        if (!fit_draw(&features, labels, &test, subject->test.labels.data, classes, options, &result, err))
            goto done;
        draws->top1[draw] = result.test.top1;
        draws->l2[draw] = result.l2;
        study_put_share(&result.test, draw, count, out);
        draws->unconverged += !result.fit.converged;
        invar_probe_result_free(&result);
    }
    ok = true;
done:
    invar_free(index);
    invar_free(labels);
    invar_free(features.data);
    return ok;
}

bool study_linear_few(const struct study_subject *subject, const struct study_labels *labels, struct invar_probed *out,
                      struct invar_error *err)
{
    const double started = invar_seconds();
    const int64_t count = subject->settings->draws;
    struct draws draws = {.top1 = invar_alloc((size_t)count, sizeof *draws.top1, err),
                          .l2 = invar_alloc((size_t)count, sizeof *draws.l2, err)};
    struct invar_probe_options used = *(const struct invar_probe_options *)subject->options;

    if (!subject->settings->held_out_given)
        used.held_out = HELD_OUT;
    const bool ok = draws.top1 && draws.l2 && measure_draws(subject, labels, &used, &draws, out, err);
    if (ok) {
        if (draws.unconverged)
            invar_log(INVAR_LOG_WARNING, "%lld of %lld probes with few labels did not converge; raise iterations",
                      (long long)draws.unconverged, (long long)count);
        out->top1 = study_mean_of(draws.top1, count, 0, 100, out->interval);
        study_put_auroc(out->auroc, out);
        out->labels = json_room_text(subject->room, labels->text);
        out->top1_by_draw = study_keep_numbers(subject, draws.top1, count);
        out->l2_by_draw = study_keep_numbers(subject, draws.l2, count);
        out->converged = draws.unconverged == 0;
        out->seconds = invar_seconds() - started;
        study_put_data(subject, draws.used, subject->test.features.shape[0], subject->train.features.shape[1], out);
        out->drawn_from = subject->train.features.shape[0];
        study_put_protocol(subject, &used, out);
    }
    invar_free(draws.top1);
    invar_free(draws.l2);
    return ok;
}
