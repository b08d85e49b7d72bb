/* SPDX-License-Identifier: Apache-2.0 */
/* What the shape of a spectrum and distances of neighbours say without labels, of spectra that are there already. Each
 * was proposed for choosing a run without labels, and has the definition of its authors and a name of its own, as they
 * rank runs differently. */
#include "eval/inspect/inspect.h"
#include "invar/measure.h"
#include "objective/measure.h"

#include <stdio.h>
#include <string.h>

/* Rows of the two neighbours: all pairs are taken, and more rows change the dimension little. */
enum { MOST_ROWS = 2048 };

/* Its fall as a power of the rank, and, where the spectrum is too short, why not. */
static void add_power_law(struct invar_findings *out, const char *name, const double *eigenvalues, int64_t count,
                          const struct invar_power_law_options *options, const char *how)
{
    char says[INVAR_FINDING_TEXT];
    struct invar_power_law law;
    struct invar_error why = {0};

    /* A short spectrum has no slope, which is a finding about the data and ends nothing. */
    if (!measure_power_law_of(eigenvalues, count, options, &law, &why)) {
        inspect_add_unknown(out, name, "exponent", why.message);
        return;
    }
    snprintf(says, sizeof says,
             "alpha-ReQ: eigenvalues fall as rank^-alpha, %s (%lld ranks); near 1 by its authors is best", how,
             (long long)law.ranks);
    inspect_add(out, name, "exponent", law.alpha, says);
}

static bool add_two_nn(struct inspect *in, struct invar_findings *out, const struct invar_array *x,
                       struct invar_error *err)
{
    const int64_t d = x->shape[1];
    struct invar_device *device = in->subject->device;
    struct invar_matrix rows = {INVAR_FLOAT32, 0, d, NULL};
    struct invar_two_nn found;
    struct invar_error why = {0};
    char says[INVAR_FINDING_TEXT];
    /* Evenly spaced and not drawn, so that the number repeats without a seed. */
    int64_t *order = inspect_spaced(x->shape[0], MOST_ROWS, &rows.rows, err);
    const size_t count = (size_t)(rows.rows * d);
    float *host = order ? invar_scratch_take(in->scratch, count, sizeof *host, err) : NULL;

    rows.data = host ? invar_device_take(in->scratch, count, sizeof *host, err) : NULL;
    for (int64_t i = 0; rows.data && i < rows.rows; i++)
        memcpy(host + i * d, (const float *)x->data + order[i] * d, (size_t)d * sizeof *host);
    invar_free(order);
    if (!rows.data)
        return false;
    invar_device_upload(device, rows.data, host, count * sizeof *host);
    /* Without the tenth of the largest ratios, as in [TN1]: -log(1 - i/n) is steep there and infinite at the last. */
    if (!invar_measure_two_nn(device, in->scratch, &rows, 0.1, &found, &why)) {
        if (!inspect_is_finding(&why))
            return invar_error_set(err, why.code, "%s", why.message);
        inspect_add_unknown(out, "two_nn", "dimensions", why.message);
        return true;
    }
    snprintf(says, sizeof says,
             "dimension of the cloud by each sample's two nearest (a line through %lld of %lld samples)",
             (long long)found.used, (long long)rows.rows);
    inspect_add(out, "two_nn", "dimensions", found.dimension, says);
    return true;
}

bool inspect_shape(struct inspect *in, struct invar_findings *out, const struct invar_array *x, const double *singular,
                   const double *eigenvalues, struct invar_error *err)
{
    /* The paper of alpha-ReQ names no range of ranks, and its code takes some from 4 to 100 with weights: the two
     * slopes differ, and whoever compares with published ones has to know which one was taken. */
    static const struct invar_power_law_options all = {.first = 1, .centre = true, .threshold = 1e-12},
                                                authors = {4, 100, true, true, 1e-12};
    const int64_t least = x->shape[0] < x->shape[1] ? x->shape[0] : x->shape[1];
    double *squares = invar_scratch_take(in->scratch, (size_t)least, sizeof *squares, err);

    if (!squares)
        return false;
    /* Of the rows as they are: a common offset is a direction too, which the centred sum beside it does not see. */
    for (int64_t i = 0; i < least; i++)
        squares[i] = singular[i] * singular[i];
    inspect_add(out, "stable_rank", "directions", measure_sum_over_first(squares, least),
                "|X|_F^2 / |X|_2^2 of the rows as they are: 1 where one direction holds all");
    inspect_add(out, "nesum", "directions", measure_sum_over_first(eigenvalues, x->shape[1]),
                "sum of the eigenvalues over the largest: the same of centred rows");
    add_power_law(out, "alpha_req", eigenvalues, least, &all, "a line through all ranks");
    add_power_law(out, "alpha_req_authors", eigenvalues, least, &authors, "its code: ranks 4 to 100, weights 1 / rank");
    return add_two_nn(in, out, x, err);
}
