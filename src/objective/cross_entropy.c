/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cross-entropy of labels: z of every view holds the logits of a linear head, one column a class. No part of
 * self-supervision: the reference that a supervised baseline is trained with.
 */
#include "objective/term.h"

#include <math.h>

/* A table may not be empty of a struct; the term has no options. */
struct cross_entropy_options {
    char none;
};

static const struct invar_option cross_entropy_table[] = {{0}};

static unsigned cross_entropy_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z) | INVAR_ROLE_LABELS;
}

static bool cross_entropy_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    return invar_term_check_views(&invar_term_cross_entropy, in, cross_entropy_roles(options), err);
}

static bool check_labels(const int64_t *labels, int64_t n, int64_t classes, struct invar_error *err)
{
    for (int64_t i = 0; i < n; i++)
        if (labels[i] < 0 || labels[i] >= classes)
            return invar_error_set(err, INVAR_ERROR_DATA,
                                   labels[i] < 0 ? "cross_entropy: sample %lld of the batch has no label (%lld) where "
                                                   "0 to %lld are expected: train on labelled samples alone"
                                                 : "cross_entropy: sample %lld of the batch has the label %lld where 0 "
                                                   "to %lld are expected: z needs a column for every class",
                                   (long long)i, (long long)labels[i], (long long)classes - 1);
    return true;
}

static bool cross_entropy_evaluate(struct invar_device *device, struct invar_scratch *scratch, const void *options,
                                   const struct invar_embeddings *in, double weight,
                                   const struct invar_embeddings *gradient, struct invar_term_value *out,
                                   struct invar_error *err)
{
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const int64_t n = z[0].rows;
    const double mean = 1 / (double)(n * in->views);
    struct invar_matrix logits;
    double loss = 0, sum, none;

    (void)options;
    int64_t *match = invar_scratch_take(scratch, (size_t)n, sizeof *match, err);
    if (!match || !check_labels(in->labels, n, z[0].cols, err) ||
        !invar_dense_take(scratch, z[0].dtype, n, z[0].cols, &logits, err))
        return false;
    invar_device_upload(device, match, in->labels, (size_t)n * sizeof *match);
    const struct invar_dense_contrast how = {.count = 1, .match = match, .contrast_scale = weight * mean};
    for (int v = 0; v < in->views; v++) {
        const struct invar_matrix *wanted = invar_term_wanted(gradient, INVAR_ROLE_Z, v);
        invar_dense_copy(device, &z[v], &logits);
        if (!invar_dense_contrast(device, scratch, &how, &logits, &sum, &none, err))
            return false;
        if (wanted)
            invar_dense_add(device, 1, &logits, wanted);
        /* a logit of minus infinity would pass as a class that is out of the question */
        loss += isfinite(invar_dense_dot(device, &z[v], &z[v])) ? mean * sum : (double)NAN;
    }
    *out = (struct invar_term_value){.loss = loss};
    return true;
}

static bool cross_entropy_reference(const void *options, const struct invar_embeddings *in,
                                    struct invar_term_value *out)
{
    const int64_t n = in->by[INVAR_ROLE_Z][0].rows;
    double loss = 0;

    (void)options;
    for (int v = 0; v < in->views; v++)
        for (int64_t i = 0; i < n; i++) {
            const struct invar_matrix *z = &in->by[INVAR_ROLE_Z][v];
            double sum = 0;
            for (int64_t c = 0; c < z->cols; c++)
                sum += exp(invar_reference_at(z, i, c) - invar_reference_at(z, i, in->labels[i]));
            loss += log(sum);
        }
    *out = (struct invar_term_value){.loss = loss / (double)(n * in->views)};
    return true;
}

const struct invar_term_spec invar_term_cross_entropy = {
    .name = "cross_entropy",
    .help = "cross-entropy of labels, z the logits of a linear head: the supervised baseline",
    .options = cross_entropy_table,
    .options_size = sizeof(struct cross_entropy_options),
    .roles = cross_entropy_roles,
    .check = cross_entropy_check,
    .evaluate = cross_entropy_evaluate,
    .reference = cross_entropy_reference,
};
