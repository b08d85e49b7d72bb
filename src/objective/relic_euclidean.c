/* SPDX-License-Identifier: Apache-2.0 */
/* ReLIC's Euclidean forms: distances of representations instead of KL between distributions. */
#include "objective/relic.h"

/* Shortened in float64, where its gradient is made; what reads it works in the type of the call. */
static bool take_bounded(const struct invar_term_call *call, enum invar_role role, int view, double bound,
                         struct invar_relic_side *s, struct invar_error *err)
{
    const struct invar_matrix *x = &call->in->by[role][view];
    const bool wanted = term_wanted(call->gradient, role, view) != NULL;

    s->lengths = invar_device_take(call->scratch, (size_t)x->rows, sizeof *s->lengths, err);
    if (!s->lengths || !wide_take(call, role, view, false, &s->wide, err) ||
        !term_matrix(call, x->rows, x->cols, &s->shortened, err) ||
        !term_matrix(call, x->rows, x->cols, &s->spare, err) ||
        !invar_dense_take(call->scratch, x->dtype, x->rows, x->cols, &s->unit.y, err) ||
        (wanted && !invar_dense_take(call->scratch, x->dtype, x->rows, x->cols, &s->unit.dy, err)))
        return false;
    invar_dense_shorten(call->device, bound, &s->wide.x, &s->shortened, s->lengths);
    invar_dense_copy(call->device, &s->shortened, &s->unit.y);
    if (wanted)
        invar_dense_zero(call->device, &s->unit.dy);
    return true;
}

bool relic_side_take(const struct invar_term_call *call, enum invar_role role, int view, bool normalise,
                     struct invar_relic_side *side, struct invar_error *err)
{
    const struct invar_relic_options *o = call->options;

    *side = (struct invar_relic_side){0};
    if (o->invariance == INVAR_INVARIANCE_APPENDIX_B)
        return take_bounded(call, role, view, o->bound, side, err);
    const struct invar_matrix *wanted = role == INVAR_ROLE_T ? NULL : term_wanted(call->gradient, role, view);
    return unit_take(call->device, call->scratch, &call->in->by[role][view], normalise, wanted, &side->unit, err);
}

void relic_side_backward(const struct invar_term_call *call, enum invar_role role, int view,
                         const struct invar_relic_side *side)
{
    const struct invar_relic_options *o = call->options;

    if (!side->unit.dy.data)
        return;
    if (!side->lengths) {
        unit_backward(call->device, &side->unit, term_wanted(call->gradient, role, view));
        return;
    }
    invar_dense_copy(call->device, &side->unit.dy, &side->spare);
    invar_dense_shorten_backward(call->device, o->bound, &side->shortened, side->lengths, &side->spare, &side->wide.dx);
    wide_backward(call, role, view, &side->wide);
}

double relic_euclidean_pairs(const struct invar_relic_options *options, int views)
{
    return options->invariance == INVAR_INVARIANCE_APPENDIX_B ? views - 1 : views * (views - 1) / 2.0;
}

/* Units of its own: their gradient takes the multiplier before it goes back. */
bool relic_euclidean(const struct invar_term_call *call, double scale, const double *multiplier, double factor,
                     double *slot, struct invar_error *err)
{
    const struct invar_relic_options *o = call->options;
    const int views = call->in->views, firsts = o->invariance == INVAR_INVARIANCE_APPENDIX_B ? 1 : views;
    struct invar_relic_side h[INVAR_MAX_VIEWS];

    for (int a = 0; a < views; a++)
        if (!relic_side_take(call, INVAR_ROLE_H, a, true, &h[a], err))
            return false;
    for (int a = 0; a < firsts; a++)
        for (int b = a + 1; b < views; b++)
            invar_dense_distance(call->device, &h[a].unit.y, &h[b].unit.y, 2 * scale, &h[a].unit.dy, &h[b].unit.dy,
                                 factor, slot);
    for (int a = 0; a < views; a++) {
        if (multiplier && h[a].unit.dy.data)
            invar_dense_scale_by(call->device, multiplier, &h[a].unit.dy);
        relic_side_backward(call, INVAR_ROLE_H, a, &h[a]);
    }
    return true;
}
