/* SPDX-License-Identifier: Apache-2.0 */
/* Supervised contrast [SU1], [SU2]: the embeddings of all views are one list; every row tells the rows of its label, or
 * without labels those of its sample, from all others. */
#include "objective/term.h"

#include <math.h>

#define FORMS(CHOICE) CHOICE(FORM_OUT, "out") CHOICE(FORM_IN, "in")
enum form { FORMS(INVAR_CHOICE_CONSTANT) };

struct supcon_options {
    double tau, base_tau;
    enum form form;
    bool labels;
};

#define AT(field) offsetof(struct supcon_options, field)
static const struct invar_option supcon_table[] = {
    {"tau", INVAR_OPTION_REAL, AT(tau), "0.1", 1e-4, 1e4, NULL, "temperature"},
    {"form", INVAR_OPTION_CHOICE, AT(form), "out", 0, 0, INVAR_CHOICES(FORMS),
     "mean over positives outside of the logarithm (the paper's better one) or inside"},
    {"labels", INVAR_OPTION_BOOL, AT(labels), "false", 0, 0, NULL,
     "positives are the rows of the same label (supervised; a row without one has its sample alone); false: of the "
     "same "
     "sample"},
    {"base_tau", INVAR_OPTION_REAL, AT(base_tau), "0", 0, 1e4, NULL,
     "above 0 the loss is multiplied by tau / base_tau, as in the authors' code with 0.07"},
    {0},
};

static unsigned supcon_roles(const void *options)
{
    const struct supcon_options *o = options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z) | (o->labels ? INVAR_ROLE_LABELS : 0);
}

static bool supcon_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    return term_check_views(&invar_term_supcon, in, supcon_roles(options), err);
}

/* the group of every row: its label, or one of its own */
static double group_of(const struct supcon_options *o, const struct invar_embeddings *in, int64_t i)
{
    return (double)(o->labels && in->labels[i] >= 0 ? in->labels[i] : -1 - i);
}

static bool take_groups(const struct invar_term_call *call, int64_t rows, struct invar_matrix *group,
                        struct invar_error *err)
{
    const int64_t n = call->in->by[INVAR_ROLE_Z][0].rows;
    double *host = invar_scratch_take(call->scratch, (size_t)rows, sizeof *host, err);

    if (!host || !invar_dense_take(call->scratch, INVAR_FLOAT64, rows, 1, group, err))
        return false;
    for (int64_t i = 0; i < rows; i++)
        host[i] = group_of(call->options, call->in, i % n);
    invar_device_upload(call->device, group->data, host, (size_t)rows * sizeof *host);
    return true;
}

/* rows of view v of a matrix that holds all views */
static struct invar_matrix part_of(const struct invar_matrix *all, int v, int64_t rows)
{
    return (struct invar_matrix){all->dtype, rows, all->cols,
                                 (char *)all->data + (size_t)(v * rows * all->cols) * invar_dtype_size(all->dtype)};
}

/* 1 / |P(a)| at every positive of row a */
static bool take_targets(const struct invar_term_call *call, int64_t rows, struct invar_matrix *targets,
                         struct invar_error *err)
{
    double *counts = invar_device_take(call->scratch, (size_t)rows, sizeof *counts, err);
    struct invar_matrix group;

    if (!counts || !take_groups(call, rows, &group, err) ||
        !invar_dense_take(call->scratch, call->in->by[INVAR_ROLE_Z][0].dtype, rows, rows, targets, err))
        return false;
    const struct invar_matrix inverse = term_row(counts, rows);
    invar_dense_same_group(call->device, &group, targets);
    invar_dense_row_products(call->device, targets, NULL, counts);
    invar_dense_map(call->device, INVAR_MAP_RECIPROCAL, 1, 0, &inverse);
    invar_dense_scale_rows(call->device, counts, targets);
    return true;
}

static bool supcon_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct supcon_options *o = call->options;
    const struct invar_matrix *z = call->in->by[INVAR_ROLE_Z];
    struct invar_device *device = call->device;
    const int64_t n = z[0].rows, rows = call->in->views * n;
    const double share = (o->base_tau > 0 ? o->tau / o->base_tau : 1) / (double)rows;
    double *lengths = invar_device_take(call->scratch, (size_t)rows, sizeof *lengths, err);
    struct invar_matrix unit, logits, by_unit, targets;

    if (!lengths || !invar_dense_take(call->scratch, z[0].dtype, rows, z[0].cols, &unit, err) ||
        !invar_dense_take(call->scratch, z[0].dtype, rows, z[0].cols, &by_unit, err) ||
        !invar_dense_take(call->scratch, z[0].dtype, rows, rows, &logits, err) ||
        !take_targets(call, rows, &targets, err))
        return false;
    const struct invar_dense_soft how = {.targets = &targets,
                                         .mixture = o->form == FORM_IN,
                                         .exclude_diagonal = true,
                                         .scale = call->weight * share,
                                         .factor = share,
                                         .slot = invar_term_part(call->sum, NULL, 1)};
    for (int v = 0; v < call->in->views; v++) {
        const struct invar_matrix own = part_of(&unit, v, n);
        invar_dense_normalise(device, &z[v], &own, lengths + v * n);
    }
    invar_dense_gram(device, false, 1 / o->tau, &unit, &logits);
    if (!invar_dense_soft_contrast(device, call->scratch, &how, &logits, err))
        return false;
    if (!call->gradient)
        return true;
    invar_dense_symmetrise(device, &logits);
    invar_dense_product_own(device, false, false, 1 / o->tau, &logits, &unit, 0, &by_unit);
    for (int v = 0; v < call->in->views; v++) {
        const struct invar_matrix own = part_of(&unit, v, n), by_own = part_of(&by_unit, v, n);
        const struct invar_matrix *wanted = term_wanted(call->gradient, INVAR_ROLE_Z, v);
        if (wanted)
            invar_dense_normalise_backward(device, &own, lengths + v * n, &by_own, 1, wanted);
    }
    return true;
}

/* - (1/|P|) sum_p log p, or - log (1/|P|) sum_p p, of row a */
static double reference_row(const struct supcon_options *o, const struct invar_embeddings *in, int64_t a)
{
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];
    const int64_t n = z->rows;
    double all = 0, inside = 0, outside = 0, positives = 0;

    for (int64_t j = 0; j < in->views * n; j++) {
        const double s = reference_dot(&z[a / n], a % n, &z[j / n], j % n, true) / o->tau - 1 / o->tau;
        all += j != a ? exp(s) : 0;
        if (j == a || group_of(o, in, a % n) != group_of(o, in, j % n))
            continue;
        positives++;
        inside += exp(s);
        outside += s;
    }
    if (positives == 0)
        return 0;
    return o->form == FORM_IN ? log(all) - log(inside / positives) : log(all) - outside / positives;
}

static bool supcon_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct supcon_options *o = options;
    const int64_t rows = in->views * in->by[INVAR_ROLE_Z][0].rows;
    double loss = 0;

    for (int64_t a = 0; a < rows; a++)
        loss += reference_row(o, in, a) / (double)rows;
    *out = (struct invar_term_value){.loss = loss * (o->base_tau > 0 ? o->tau / o->base_tau : 1)};
    return true;
}

const struct invar_term_spec invar_term_supcon = {
    .name = "supcon",
    .help = "contrast with several positives, by label or by sample [SU1], [SU2]",
    .options = supcon_table,
    .options_size = sizeof(struct supcon_options),
    .roles = supcon_roles,
    .check = supcon_check,
    .evaluate = supcon_evaluate,
    .reference = supcon_reference,
};
