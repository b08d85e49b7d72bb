/* SPDX-License-Identifier: Apache-2.0 */
/* Nearest neighbours of features: their votes for classes, or the means of their numbers, by every k that is asked for,
 * the first of which is the result. */
#include "study/study.h"
#include "invar/memory.h"

#include <stdio.h>
#include <string.h>

/* The neighbours of every test row, nearest first. */
struct found {
    int64_t most; /* of a row */
    int64_t *index;
    double *similarity;
};

static void found_free(struct found *found)
{
    invar_free(found->index);
    invar_free(found->similarity);
}

static bool find(const struct study_subject *subject, struct found *out, struct invar_error *err)
{
    const struct invar_int_list *k = &((const struct invar_neighbours_options *)subject->options)->k;
    const struct invar_matrix train = study_features(&subject->train), test = study_features(&subject->test);

    out->most = 1;
    for (int i = 0; i < k->count; i++)
        out->most = k->value[i] > out->most ? k->value[i] : out->most;
    out->most = out->most < train.rows ? out->most : train.rows;
    out->index = invar_alloc((size_t)test.rows, (size_t)(out->most + 1) * sizeof *out->index, err);
    out->similarity = invar_alloc((size_t)test.rows, (size_t)(out->most + 1) * sizeof *out->similarity, err);
    return out->index && out->similarity &&
           invar_neighbours_find(&train, &test, out->most, out->index, out->similarity, err);
}

/* Accuracy with the first k of the neighbours; first: what the shares of votes are worth, too, into the result. */
static bool vote(const struct study_subject *subject, const struct found *found, int64_t k, bool first,
                 struct invar_probed *out, double *value, struct invar_error *err)
{
    const struct invar_neighbours_options *options = subject->options;
    const int classes = invar_dataset_info(subject->run->dataset)->classes;
    const int64_t rows = subject->test.features.shape[0], *labels = subject->test.labels.data;
    double *share = invar_alloc((size_t)rows, (size_t)classes * sizeof *share, err);
    const struct invar_matrix scores = {INVAR_FLOAT64, rows, classes, share};
    struct invar_accuracy accuracy = {0};

    for (int64_t i = 0; share && i < rows; i++)
        invar_neighbours_vote(found->index + i * found->most, found->similarity + i * found->most, k,
                              subject->train.labels.data, classes, options->temperature, share + i * classes);
    bool ok = share && invar_accuracy_measure(&scores, labels, &accuracy, err);
    if (ok && first) {
        ok = invar_accuracy_add_probabilities(&accuracy, &scores, INVAR_SCORES_VOTES, labels, err) &&
             study_put_groups(subject, &accuracy, subject->test.index.data, out, err);
        study_put_accuracy(subject, &accuracy, out);
    }
    *value = accuracy.top1;
    invar_accuracy_free(&accuracy);
    invar_free(share);
    return ok;
}

/* The means of the first k of the neighbours. */
static bool average(const struct study_subject *subject, const struct found *found, int64_t k, bool first,
                    struct invar_probed *out, double *value, struct invar_error *err)
{
    const struct invar_neighbours_options *options = subject->options;
    const int64_t rows = subject->test.features.shape[0];
    double *mean = invar_alloc((size_t)rows, sizeof *mean, err);
    const struct invar_matrix predictions = {INVAR_FLOAT64, rows, 1, mean};
    const struct invar_matrix targets = {INVAR_FLOAT64, rows, 1, subject->test_targets};
    struct invar_regression measured = {0};

    for (int64_t i = 0; mean && i < rows; i++)
        mean[i] = invar_neighbours_average(found->index + i * found->most, found->similarity + i * found->most, k,
                                           subject->train_targets, options->temperature);
    const bool ok = mean && invar_regression_measure(&predictions, &targets, &measured, err);
    if (ok && first)
        study_put_regression(&measured, out);
    *value = measured.r2;
    invar_regression_free(&measured);
    invar_free(mean);
    return ok;
}

/* Of equal ks, which few rows make of different ones, the last one stays. */
static int64_t put_by_k(struct invar_named_number *item, int64_t count, const struct invar_named_number *next)
{
    int64_t kept = 0;

    for (int64_t i = 0; i < count; i++)
        if (strcmp(item[i].name, next->name) != 0)
            item[kept++] = item[i];
    item[kept++] = *next;
    return kept;
}

static bool by_every_k(const struct study_subject *subject, const struct found *found, struct invar_probed *out,
                       struct invar_error *err)
{
    const struct invar_neighbours_options *options = subject->options;
    const bool number = subject->train_targets;
    struct invar_named_number *item = json_room_take(subject->room, options->k.count, sizeof *item);
    int64_t count = 0;

    for (int i = 0; i < options->k.count; i++) {
        const int64_t k = options->k.value[i] < found->most ? options->k.value[i] : found->most;
        struct invar_named_number next;
        char name[32];
        if (!(number ? average : vote)(subject, found, k, i == 0, out, &next.value, err))
            return false;
        if (i == 0)
            out->k = (double)k;
        snprintf(name, sizeof name, "%lld", (long long)k);
        next.name = json_room_text(subject->room, name);
        if (item && next.name)
            count = put_by_k(item, count, &next);
    }
    out->temperature = options->temperature;
    *(number ? &out->r2_by_k : &out->top1_by_k) = (struct invar_named_numbers){count, item};
    return true;
}

static bool check(const struct study_subject *subject, struct invar_error *err)
{
    const int64_t *labels = subject->train.labels.data;

    if (subject->train_targets)
        return invar_targets_check(subject->train_targets, subject->train.features.shape[0], "training samples", err) &&
               invar_targets_check(subject->test_targets, subject->test.features.shape[0], "test samples", err);
    for (int64_t i = 0; i < subject->train.labels.shape[0]; i++)
        if (labels[i] < 0)
            return invar_error_set(err, INVAR_ERROR_DATA,
                                   "row %lld of the training samples has no label; every row needs one", (long long)i);
    return true;
}

static bool measure(const struct study_subject *subject, const struct study_labels *labels, struct invar_probed *out,
                    struct invar_error *err)
{
    const double started = invar_seconds();
    struct found found = {0};
    const bool ok = check(subject, err) && find(subject, &found, err) && by_every_k(subject, &found, out, err);

    (void)labels;
    out->seconds = invar_seconds() - started;
    if (subject->train_targets)
        out->label_kind = "number";
    study_put_features(subject, out);
    study_put_protocol(subject, subject->options, out);
    found_free(&found);
    return ok;
}

static const char *const baselines[] = {"random", "input", "supervised", NULL};
const struct study_method_spec study_method_neighbours = {.name = "neighbours",
                                                          .help = "nearest neighbours by cosine similarity",
                                                          .options = invar_neighbours_option_table,
                                                          .size = sizeof(struct invar_neighbours_options),
                                                          .baselines = baselines,
                                                          .labels = STUDY_CLASSES | STUDY_NUMBERS,
                                                          .of_features = true,
                                                          .measure = measure};
