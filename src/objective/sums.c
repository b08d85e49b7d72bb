/* SPDX-License-Identifier: Apache-2.0 */
/* What presets share: one term after another, each a part of the sum. */
#include "objective/sums.h"

double term_over_views(enum invar_over_views over_views, int views)
{
    return over_views == INVAR_OVER_VIEWS_MEAN ? 1.0 / views : 1.0;
}

static void add_value(struct invar_term_value *out, const char *name, double factor, double loss)
{
    out->loss += factor * loss;
    reference_part(out, name, loss);
}

bool sum_add(const struct invar_term_spec *term, const struct invar_term_call *call, const void *options,
             const char *name, double factor, struct invar_error *err)
{
    struct invar_term_sum sum = {.ledger = call->sum->ledger};
    struct invar_term_call own = *call;

    own.options = options;
    own.weight *= factor;
    own.gradient = factor == 0 ? NULL : call->gradient;
    own.sum = &sum;
    if (!term->evaluate(&own, err))
        return false;
    for (int i = 0; i < sum.count; i++)
        if (sum.entry[i].share != 0)
            invar_term_part_of(call->sum, name, sum.entry[i].slot, sum.entry[i].share * sum.entry[i].factor,
                               sum.entry[i].share * sum.entry[i].constant, factor);
    return true;
}

bool sum_add_reference(const struct invar_term_spec *term, const void *options, const struct invar_embeddings *in,
                       const char *name, double factor, struct invar_term_value *out)
{
    struct invar_term_value value;

    if (!term->reference(options, in, &value))
        return false;
    add_value(out, name, factor, value.loss);
    return true;
}
