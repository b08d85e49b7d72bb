/* SPDX-License-Identifier: Apache-2.0 */
/* What presets share: one term after another, each a part of the sum. */
#include "objective/sums.h"

double invar_over_views(int over_views, int views)
{
    return over_views == INVAR_OVER_VIEWS_MEAN ? 1.0 / views : 1.0;
}

static void add_value(struct invar_term_value *out, const char *name, double factor, double loss)
{
    out->loss += factor * loss;
    invar_term_part(out, name, loss);
}

bool invar_sum_add(const struct invar_term_spec *term, struct invar_device *device, struct invar_scratch *scratch,
                   const void *options, const struct invar_embeddings *in, const char *name, double factor,
                   double weight, const struct invar_embeddings *gradient, struct invar_term_value *out,
                   struct invar_error *err)
{
    struct invar_term_value value;

    if (!term->evaluate(device, scratch, options, in, weight * factor, factor == 0 ? NULL : gradient, &value, err))
        return false;
    add_value(out, name, factor, value.loss);
    return true;
}

bool invar_sum_add_reference(const struct invar_term_spec *term, const void *options, const struct invar_embeddings *in,
                             const char *name, double factor, struct invar_term_value *out)
{
    struct invar_term_value value;

    if (!term->reference(options, in, &value))
        return false;
    add_value(out, name, factor, value.loss);
    return true;
}
