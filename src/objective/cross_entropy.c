/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cross-entropy of labels: z of every view holds the logits of a linear head, one column a class. No part of
 * self-supervision: the reference that a supervised baseline is trained with. Samples without a label (-1) have no part
 * in it: the mean is over those that have one, and 0 where none has.
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
    return term_check_views(&invar_term_cross_entropy, in, cross_entropy_roles(options), err);
}

static bool check_labels(const int64_t *labels, int64_t n, int64_t classes, struct invar_error *err)
{
    for (int64_t i = 0; i < n; i++)
        if (labels[i] < -1 || labels[i] >= classes)
            return invar_error_set(
                err, INVAR_ERROR_DATA,
                "cross_entropy: sample %lld of the batch has the label %lld where 0 to %lld, or -1 for "
                "none, are expected: z needs a column for every class",
                (long long)i, (long long)labels[i], (long long)classes - 1);
    return true;
}

/* The rows that have a label, one after the other: match and row hold them, and the number is returned. */
static int64_t find_labelled(const int64_t *labels, int64_t n, int64_t *match, int64_t *row)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        if (labels[i] >= 0) {
            match[count] = labels[i];
            row[count++] = i;
        }
    return count;
}

/* Rows first .. first + count of a matrix, as one. */
static struct invar_matrix rows_of(const struct invar_matrix *m, int64_t first, int64_t count)
{
    const size_t place = (size_t)(first * m->cols) * invar_dtype_size(m->dtype);
    return (struct invar_matrix){m->dtype, count, m->cols, (char *)m->data + place};
}

/* The length of the run of neighbouring rows that begins at k. */
static int64_t run_length(const int64_t *row, int64_t k, int64_t count)
{
    int64_t length = 1;
    while (k + length < count && row[k + length] == row[k] + length)
        length++;
    return length;
}

/* Labelled rows of z into logits, or gradients of logits onto rows of `wanted`. */
static void gather(struct invar_device *device, const struct invar_matrix *z, const int64_t *row,
                   struct invar_matrix *logits)
{
    for (int64_t k = 0, length; k < logits->rows; k += length) {
        length = run_length(row, k, logits->rows);
        const struct invar_matrix from = rows_of(z, row[k], length), to = rows_of(logits, k, length);
        invar_dense_copy(device, &from, &to);
    }
}

static void scatter(struct invar_device *device, const struct invar_matrix *logits, const int64_t *row,
                    const struct invar_matrix *wanted)
{
    for (int64_t k = 0, length; k < logits->rows; k += length) {
        length = run_length(row, k, logits->rows);
        const struct invar_matrix from = rows_of(logits, k, length), to = rows_of(wanted, row[k], length);
        invar_dense_add(device, 1, &from, &to);
    }
}

static bool cross_entropy_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct invar_embeddings *in = call->in;
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    struct invar_device *device = call->device;
    struct invar_scratch *scratch = call->scratch;
    const int64_t n = z[0].rows;
    double *loss = invar_term_part(call->sum, NULL, 1);
    struct invar_matrix logits;

    int64_t *match = invar_device_take(scratch, (size_t)n, sizeof *match, err);
    int64_t *known = match ? invar_scratch_take(scratch, (size_t)n, sizeof *known, err) : NULL;
    int64_t *row = known ? invar_scratch_take(scratch, (size_t)n, sizeof *row, err) : NULL;
    if (!row || !check_labels(in->labels, n, z[0].cols, err) ||
        !invar_dense_take(scratch, z[0].dtype, n, z[0].cols, &logits, err))
        return false;
    logits.rows = find_labelled(in->labels, n, known, row);
    const double mean = 1 / (double)((logits.rows ? logits.rows : 1) * in->views);
    invar_device_upload(device, match, known, (size_t)logits.rows * sizeof *match);
    const struct invar_dense_contrast how = {.count = 1,
                                             .match = match,
                                             .contrast_scale = call->weight * mean,
                                             .contrast_factor = mean,
                                             .contrast_slot = loss};
    for (int v = 0; v < in->views; v++) {
        const struct invar_matrix *wanted = term_wanted(call->gradient, INVAR_ROLE_Z, v);
        gather(device, &z[v], row, &logits);
        if (logits.rows && !invar_dense_contrast(device, scratch, &how, &logits, err))
            return false;
        if (wanted)
            scatter(device, &logits, row, wanted);
        /* a logit of minus infinity would pass as a class that is out of the question; times 0 it is a NaN */
        invar_dense_dot(device, &z[v], &z[v], 0, loss);
    }
    return true;
}

static bool cross_entropy_reference(const void *options, const struct invar_embeddings *in,
                                    struct invar_term_value *out)
{
    const int64_t n = in->by[INVAR_ROLE_Z][0].rows;
    double loss = 0;
    int64_t count = 0;

    (void)options;
    for (int v = 0; v < in->views; v++)
        for (int64_t i = 0; i < n; i++) {
            if (in->labels[i] < 0)
                continue;
            count++;
            const struct invar_matrix *z = &in->by[INVAR_ROLE_Z][v];
            double sum = 0;
            for (int64_t c = 0; c < z->cols; c++)
                sum += exp(reference_at(z, i, c) - reference_at(z, i, in->labels[i]));
            loss += log(sum);
        }
    *out = (struct invar_term_value){.loss = loss / (double)(count ? count : 1)};
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
