/* SPDX-License-Identifier: Apache-2.0 */
/* What results of several methods have in common. */
#include "study/study.h"

#include <math.h>

struct invar_numbers study_keep_numbers(const struct study_subject *subject, const double *value, int64_t count)
{
    return (struct invar_numbers){count, json_room_numbers(subject->room, value, count)};
}

void study_put_auroc(double auroc, struct invar_probed *out)
{
    out->auroc = auroc;
    if (!isfinite(auroc))
        out->auroc_absent = "all test samples are of one class, so there is nothing to tell apart";
}

void study_put_spearman(double spearman, struct invar_probed *out)
{
    out->spearman = spearman;
    if (!isfinite(spearman))
        out->spearman_absent = "all predictions are equal, so they have no ranks";
}

static void keep_confusion(const struct study_subject *subject, const struct invar_accuracy *accuracy,
                           struct invar_probed *out)
{
    const int64_t classes = accuracy->classes;
    struct invar_numbers *row = json_room_take(subject->room, classes, sizeof *row);
    double *count = json_room_take(subject->room, classes * classes, sizeof *count);

    if (!row || !count)
        return;
    for (int64_t i = 0; i < classes * classes; i++)
        count[i] = (double)accuracy->confusion[i];
    for (int64_t c = 0; c < classes; c++)
        row[c] = (struct invar_numbers){classes, count + c * classes};
    out->confusion.count = classes;
    out->confusion.row = row;
}

void study_put_accuracy(const struct study_subject *subject, const struct invar_accuracy *accuracy,
                        struct invar_probed *out)
{
    out->top1 = accuracy->top1;
    out->interval[0] = accuracy->low;
    out->interval[1] = accuracy->high;
    out->top5 = accuracy->top5;
    out->balanced_accuracy = accuracy->balanced_accuracy;
    out->macro_f1 = accuracy->macro_f1;
    out->ece = accuracy->ece;
    study_put_auroc(accuracy->auroc, out);
    out->per_class = study_keep_numbers(subject, accuracy->per_class, accuracy->classes);
    keep_confusion(subject, accuracy, out);
}

void study_add_share(double *mean, double value, int64_t draw, int64_t draws)
{
    *mean = (draw ? *mean : 0) + value / (double)draws;
}

void study_put_share(const struct invar_accuracy *accuracy, int64_t draw, int64_t draws, struct invar_probed *out)
{
    study_add_share(&out->balanced_accuracy, accuracy->balanced_accuracy, draw, draws);
    study_add_share(&out->macro_f1, accuracy->macro_f1, draw, draws);
    study_add_share(&out->auroc, accuracy->auroc, draw, draws);
    study_add_share(&out->ece, accuracy->ece, draw, draws);
}

double study_mean_of(const double *value, int64_t draws, double least, double most, double interval[2])
{
    double mean = 0, squares = 0;

    for (int64_t i = 0; i < draws; i++)
        mean += value[i] / (double)draws;
    for (int64_t i = 0; i < draws; i++)
        squares += (value[i] - mean) * (value[i] - mean);
    if (draws > 1) {
        const double half = invar_student_95(draws - 1) * sqrt(squares / (double)(draws - 1) / (double)draws);
        interval[0] = fmax(mean - half, least);
        interval[1] = fmin(mean + half, most);
    }
    return mean;
}

void study_put_data(const struct study_subject *subject, int64_t train_count, int64_t test_count, int64_t dimensions,
                    struct invar_probed *out)
{
    const struct invar_dataset_info *info = invar_dataset_info(subject->run->dataset);

    out->data = json_room_text(subject->room, info->source);
    out->data_identity = json_room_text(subject->room, info->identity);
    out->train_count = train_count;
    out->test_count = test_count;
    out->dimensions = dimensions;
}

void study_put_classes(const struct study_subject *subject, struct invar_probed *out)
{
    const struct invar_dataset_info *info = invar_dataset_info(subject->run->dataset);

    if (info->class_names)
        out->classes =
            (struct invar_texts){info->classes, json_room_texts(subject->room, info->class_names, info->classes)};
}

void study_put_features(const struct study_subject *subject, struct invar_probed *out)
{
    const int64_t *train = subject->train.features.shape;

    study_put_data(subject, train[0], subject->test.features.shape[0], train[1], out);
    study_put_classes(subject, out);
}

struct invar_matrix study_features(const struct invar_embedded *embedded)
{
    const struct invar_array *array = &embedded->features;
    return (struct invar_matrix){array->dtype, array->shape[0], array->shape[1], array->data};
}
