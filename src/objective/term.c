/* SPDX-License-Identifier: Apache-2.0 */
/* The table of terms, and what their files share. */
#include "objective/term.h"

#include "base/names.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The program's own follow, and a NULL ends them all. */
#define LISTED(name) &invar_term_##name,
static const struct invar_term_spec *terms[64] = {INVAR_TERMS(LISTED)};

static const struct {
    char letter;
    const char *what;
} roles[INVAR_ROLE_COUNT] = {
    [INVAR_ROLE_H] = {'h', "the encoder's output"},
    [INVAR_ROLE_Z] = {'z', "the projector's output"},
    [INVAR_ROLE_Q] = {'q', "the online network's last output"},
    [INVAR_ROLE_T] = {'t', "the target network's output, so a target network is needed"},
    [INVAR_ROLE_X] = {'x', "the plain input that the views were made of"},
    [INVAR_ROLE_M] = {'m', "which columns were changed, so views.corrupt or views.blank is needed"},
    [INVAR_ROLE_W] = {'w', "a linear predictor's weight or bias, which a file brings"},
};

const struct invar_term_spec *const *invar_term_list(void)
{
    return terms;
}

const struct invar_term_spec *invar_term_find(const char *name, struct invar_error *err)
{
    return names_find(NAMES_POINTERS("term", terms), NULL, name, err);
}

bool invar_term_add(const struct invar_term_spec *term, struct invar_error *err)
{
    const int room = sizeof terms / sizeof *terms - 1;
    int count = 0;

    if (!term->name || !term->help || !term->options || !term->roles || !term->check || !term->evaluate)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "the term %s lacks a part: give name, help, options, roles, check and evaluate",
                               term->name ? term->name : "without a name");
    for (; terms[count]; count++)
        if (strcmp(terms[count]->name, term->name) == 0)
            return terms[count] == term ||
                   invar_error_set(err, INVAR_ERROR_USAGE, "there is a term %s already: give this one another name",
                                   term->name);
    if (count == room)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s would be one term more than the %d that there is room for",
                               term->name, room);
    terms[count] = term;
    return true;
}

/* "2" is view 1; nothing is view 0 */
static bool find_view(const char *digits, int *view)
{
    char *end = NULL;
    const long number = strtol(digits, &end, 10);

    *view = *digits ? (int)number - 1 : 0;
    return !*digits || (*digits >= '1' && *digits <= '9' && !*end && number <= INVAR_MAX_VIEWS);
}

bool invar_term_find_input(const struct invar_term_spec *term, const char *name, enum invar_role *role, int *view)
{
    for (const struct invar_term_input *input = term->inputs; input && input->name; input++)
        if (strcmp(input->name, name) == 0) {
            *role = input->role;
            *view = input->view;
            return true;
        }
    for (int r = 0; r < INVAR_ROLE_COUNT; r++) {
        if (name[0] != roles[r].letter)
            continue;
        *role = (enum invar_role)r;
        return find_view(name + 1, view);
    }
    return false;
}

void term_input_name(const struct invar_term_spec *term, enum invar_role role, int view, char *name, size_t size)
{
    for (const struct invar_term_input *input = term->inputs; input && input->name; input++)
        if (input->role == role && input->view == view) {
            snprintf(name, size, "%s", input->name);
            return;
        }
    snprintf(name, size, "%c%d", roles[role].letter, view + 1);
}

/* What a file may bring in place of what the term draws: listed, and of no role that the term must have. */
static bool may_bring(const struct invar_term_spec *term, const void *options, enum invar_role role, int view)
{
    const struct invar_term_input *input = term->inputs;

    while (input && input->name && (input->role != role || input->view != view))
        input++;
    return role == INVAR_ROLE_W && input && input->name && term->reads && term->reads(options, role, view);
}

bool invar_term_reads(const struct invar_term_spec *term, const void *options, enum invar_role role, int view)
{
    if (!(term->roles(options) & INVAR_ROLE_BIT(role)))
        return may_bring(term, options, role, view);
    return !term->reads || term->reads(options, role, view);
}

bool term_check_input(const struct invar_term_spec *term, const struct invar_embeddings *in, enum invar_role role,
                      int view, const struct invar_matrix *like, const struct invar_matrix *first,
                      struct invar_error *err)
{
    const struct invar_matrix *x = &in->by[role][view];
    char name[16];

    term_input_name(term, role, view, name, sizeof name);
    if (x->rows <= 0 || x->cols <= 0)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s reads %s, which is missing (it is %s)", term->name, name,
                               roles[role].what);
    if (x->rows > INT_MAX || x->cols > INT_MAX)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: %s is %lld x %lld, larger than this build can multiply",
                               term->name, name, (long long)x->rows, (long long)x->cols);
    if (x->rows != first->rows)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s: %s has %lld rows where the first input has %lld: every "
                               "input needs one row a sample",
                               term->name, name, (long long)x->rows, (long long)first->rows);
    if (x->cols != like->cols)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s: %s has %lld columns where view 1 has %lld: they must be "
                               "equally wide",
                               term->name, name, (long long)x->cols, (long long)like->cols);
    if (x->dtype != first->dtype)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: %s is %s where the first input is %s: use one type for all",
                               term->name, name, invar_dtype_name(x->dtype), invar_dtype_name(first->dtype));
    return true;
}

int term_targets(const struct invar_embeddings *in)
{
    return in->targets > 0 ? in->targets : in->views;
}

bool term_check_shapes(const struct invar_term_spec *term, const struct invar_embeddings *in, unsigned mask,
                       int64_t least, struct invar_error *err)
{
    const struct invar_matrix *first = NULL;

    for (int role = 0; role < INVAR_ROLE_COUNT; role++) {
        if (!(mask & INVAR_ROLE_BIT(role)))
            continue;
        if (!first)
            first = &in->by[role][0];
        const struct invar_matrix *like =
            &in->by[role == INVAR_ROLE_T && in->by[INVAR_ROLE_Q][0].rows > 0 ? INVAR_ROLE_Q : role][0];
        for (int view = 0; view < (role == INVAR_ROLE_T ? term_targets(in) : in->views); view++)
            if (!term_check_input(term, in, (enum invar_role)role, view, like, first, err))
                return false;
    }
    if ((mask & INVAR_ROLE_GROUPS) && !in->groups)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s reads groups, which is missing (one id a sample)",
                               term->name);
    if ((mask & INVAR_ROLE_LABELS) && !in->labels)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s reads labels, which is missing (one class a sample)",
                               term->name);
    if ((mask & INVAR_ROLE_MIXTURE) && (!in->partner || !in->share))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s reads %s, which is missing (what view 1 of every sample was mixed of)", term->name,
                               in->partner ? "share" : "partner");
    if (first && first->rows < least)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s needs at least %lld samples in a batch, not %lld: give more",
                               term->name, (long long)least, (long long)first->rows);
    return true;
}

bool term_check_views(const struct invar_term_spec *term, const struct invar_embeddings *in, unsigned mask,
                      struct invar_error *err)
{
    if (in->views < 1)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s needs one view of every sample or more: give z, or z1 and z2", term->name);
    return term_check_shapes(term, in, mask, 2, err);
}

void reference_part(struct invar_term_value *value, const char *name, double part)
{
    value->part[value->count].name = name;
    value->part[value->count].value = part;
    value->count++;
}

void invar_term_part_of(struct invar_term_sum *sum, const char *name, double *slot, double factor, double constant,
                        double share)
{
    sum->entry[sum->count].name = name;
    sum->entry[sum->count].slot = slot;
    sum->entry[sum->count].factor = factor;
    sum->entry[sum->count].constant = constant;
    sum->entry[sum->count].share = share;
    sum->count++;
}

double *invar_term_part(struct invar_term_sum *sum, const char *name, double share)
{
    double *slot = invar_ledger_slot(sum->ledger);

    invar_term_part_of(sum, name, slot, 1, 0, share);
    return slot;
}

/* Neighbouring entries of one name are one part. */
static void settle_part(struct invar_term_value *value, const char *name, double found)
{
    if (!name)
        return;
    if (value->count == 0 || strcmp(value->part[value->count - 1].name, name) != 0) {
        value->part[value->count].name = name;
        value->part[value->count++].value = 0;
    }
    value->part[value->count - 1].value += found;
}

void invar_term_settle(const struct invar_term_sum *sum, struct invar_term_value *value)
{
    *value = (struct invar_term_value){0};
    for (int i = 0; i < sum->count; i++) {
        const double slot = sum->entry[i].slot ? invar_ledger_value(sum->ledger, sum->entry[i].slot) : 0;
        const double found = sum->entry[i].factor * slot + sum->entry[i].constant;
        settle_part(value, sum->entry[i].name, found);
        if (sum->entry[i].share != 0)
            value->loss += sum->entry[i].share * found;
    }
}

bool term_state_take(const struct invar_term_spec *term, struct invar_scratch *scratch, struct invar_term_call *call,
                     struct invar_error *err)
{
    const int64_t count = term->state_size ? term->state_size(call->options, call->in) : 0;
    float *host = count ? invar_scratch_take(scratch, (size_t)count, sizeof *host, err) : NULL;

    if (count == 0)
        return true;
    call->state = host ? invar_device_take(scratch, (size_t)count, sizeof *host, err) : NULL;
    if (!call->state)
        return false;
    memset(host, 0, (size_t)count * sizeof *host);
    if (term->state_init)
        term->state_init(call->options, call->in, host);
    invar_device_upload(call->device, call->state, host, (size_t)count * sizeof *host);
    return true;
}

bool invar_term_evaluate(const struct invar_term_spec *term, struct invar_term_call call,
                         struct invar_term_value *value, struct invar_error *err)
{
    struct invar_ledger ledger;
    struct invar_term_sum sum = {.ledger = &ledger};

    call.sum = &sum;
    if (!invar_ledger_take(call.device, call.scratch, INVAR_MAX_PARTS, &ledger, err) ||
        (!call.state && !term_state_take(term, call.scratch, &call, err)) || !term->evaluate(&call, err))
        return false;
    invar_device_read(&ledger);
    invar_term_settle(&sum, value);
    return true;
}

bool invar_term_check_finite(const struct invar_term_spec *term, const struct invar_term_value *value,
                             struct invar_error *err)
{
    for (int k = 0; k < value->count; k++)
        if (!isfinite(value->part[k].value))
            return invar_error_set(err, INVAR_ERROR_NUMERIC,
                                   "the part %s of the term %s is not finite (%g): the "
                                   "embeddings hold NaN or Inf, or are too large",
                                   value->part[k].name, term->name, value->part[k].value);
    if (!isfinite(value->loss))
        return invar_error_set(err, INVAR_ERROR_NUMERIC,
                               "the term %s is not finite (%g): the embeddings hold NaN or "
                               "Inf, or are too large",
                               term->name, value->loss);
    return true;
}

bool unit_take(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *x, bool normalise,
               const struct invar_matrix *dx, struct invar_unit *unit, struct invar_error *err)
{
    *unit = (struct invar_unit){.y = *x};
    if (!normalise) {
        if (dx)
            unit->dy = *dx;
        return true;
    }
    if (dx) {
        if (!invar_dense_take(scratch, x->dtype, x->rows, x->cols, &unit->dy, err))
            return false;
        invar_dense_zero(device, &unit->dy);
    }
    unit->lengths = invar_device_take(scratch, (size_t)x->rows, sizeof *unit->lengths, err);
    if (!unit->lengths || !invar_dense_take(scratch, x->dtype, x->rows, x->cols, &unit->y, err))
        return false;
    invar_dense_normalise(device, x, &unit->y, unit->lengths);
    return true;
}

void unit_backward(struct invar_device *device, const struct invar_unit *unit, const struct invar_matrix *dx)
{
    if (unit->lengths)
        invar_dense_normalise_backward(device, &unit->y, unit->lengths, &unit->dy, 1, dx);
}

bool term_rows_suffice(int64_t n, int64_t d)
{
    return 4 * n <= 3 * d;
}

struct invar_matrix term_row(double *vector, int64_t count)
{
    return (struct invar_matrix){INVAR_FLOAT64, 1, count, vector};
}

const struct invar_matrix *term_wanted(const struct invar_embeddings *gradient, enum invar_role role, int view)
{
    return gradient && gradient->by[role][view].data ? &gradient->by[role][view] : NULL;
}

double reference_at(const struct invar_matrix *x, int64_t i, int64_t j)
{
    return ((const double *)x->data)[i * x->cols + j];
}

double reference_length(const struct invar_matrix *x, int64_t i)
{
    const double length = sqrt(reference_dot(x, i, x, i, false));
    return length > 1e-12 ? length : 1e-12;
}

double reference_dot(const struct invar_matrix *a, int64_t i, const struct invar_matrix *b, int64_t j, bool normalise)
{
    double sum = 0;
    for (int64_t k = 0; k < a->cols; k++)
        sum += reference_at(a, i, k) * reference_at(b, j, k);
    return normalise ? sum / reference_length(a, i) / reference_length(b, j) : sum;
}

double reference_covariance(const struct invar_matrix *z, int64_t j, int64_t k)
{
    double mean[2] = {0}, sum = 0;

    for (int64_t i = 0; i < z->rows; i++) {
        mean[0] += reference_at(z, i, j) / (double)z->rows;
        mean[1] += reference_at(z, i, k) / (double)z->rows;
    }
    for (int64_t i = 0; i < z->rows; i++)
        sum += (reference_at(z, i, j) - mean[0]) * (reference_at(z, i, k) - mean[1]);
    return sum / (double)(z->rows - 1);
}
