/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collapses, each by the number that shows it. A rank is free of scale: embeddings that shrink towards a point keep it
 * (LogDet with too heavy an invariance does that). A deviation is blind to direction: embeddings of full scale may lie
 * on a few lines (PairDist on raw z with a fixed sigma). And directions that all point one way make views agree for
 * nothing.
 */
#include "eval/inspect/inspect.h"

#include <math.h>
#include <stdio.h>

/* Warnings read findings by name: a number that is unknown compares false with every limit and warns of nothing. */
static double value_of(const struct inspect *in, enum invar_inspect_section section, const char *name)
{
    const struct invar_finding *finding = invar_inspection_find(in->out, section, name);
    return finding && finding->known ? finding->value : NAN;
}

static void warn(struct inspect *in, const char *kind, double value, const char *says)
{
    struct invar_finding *warning = &in->out->warning[in->out->warning_count];

    if (in->out->warning_count == INVAR_MAX_WARNINGS)
        return;
    in->out->warning_count++;
    *warning = (struct invar_finding){.name = kind, .unit = "", .known = true, .value = value};
    snprintf(warning->says, sizeof warning->says, "%s", says);
}

/* How small z may be: LogDet keeps the deviation of z at about beta^(-1/2). */
static double least_deviation(const struct inspect *in)
{
    const double beta = in->subject->logdet_beta, least = in->options->collapse_deviation;
    /* About a third of that, so that a deviation which the loss itself is after does not warn. */
    return beta > 0 ? fmin(least, 0.3 / sqrt(beta)) : least;
}

/* Which remedy there is depends on why z shrinks: LogDet's share r says so where the recipe has one. */
static void look_at_scale(struct inspect *in, int64_t width)
{
    const double deviation = value_of(in, INVAR_INSPECT_EMBEDDING, "deviation"), least = least_deviation(in);
    const double share = in->subject->logdet_share;
    char says[INVAR_FINDING_TEXT], why[200] = "";

    if (!(deviation < least))
        return;
    if (share > 0 && share < 2)
        snprintf(why, sizeof why, ": LogDet's share r is %.3g, and below 2 views shrink z", share);
    else if (value_of(in, INVAR_INSPECT_EMBEDDING, "direction_spread") > in->options->collapse_spread)
        snprintf(why, sizeof why, "; harmless only if every term of the recipe normalises z");
    snprintf(says, sizeof says,
             "z.deviation is %.3g, below %.3g: the embeddings shrink towards a point; z.effective_rank, %.3g of %lld, "
             "does not see it, being free of scale%s",
             deviation, least, value_of(in, INVAR_INSPECT_EMBEDDING, "effective_rank"), (long long)width, why);
    warn(in, "shrinking", deviation, says);
}

/* Where there are fewer samples than columns, rank is measured against the samples. */
static void look_at_rank(struct inspect *in, enum invar_inspect_section section, const char *space, int64_t width)
{
    const double rank = value_of(in, section, "effective_rank");
    const int64_t most = width < in->out->samples ? width : in->out->samples;
    /* No effective rank is below 1: of few columns the share alone would never warn, hence 1.5 at least where there are
     * more than two directions. */
    const double least = fmax(in->options->collapse_rank * (double)most, most > 2 ? 1.5 : 0);
    char says[INVAR_FINDING_TEXT];

    if (!(rank < least))
        return;
    snprintf(says, sizeof says,
             "%s.effective_rank is %.3g of %lld, below %.3g: few directions hold everything; %s.deviation, %.3g, does "
             "not see it",
             space, rank, (long long)most, least, space, value_of(in, section, "deviation"));
    warn(in, "dimensional", rank, says);
}

/* The alignment is told beside, because it is the number that looks good in this collapse: without pairs of views there
 * is none, and the sentence does without. */
static void look_at_directions(struct inspect *in, enum invar_inspect_section section, const char *space)
{
    const double spread = value_of(in, section, "direction_spread"), alignment = value_of(in, section, "alignment");
    char says[INVAR_FINDING_TEXT], views[160] = "";

    if (!(spread < in->options->collapse_spread))
        return;
    if (!isnan(alignment))
        snprintf(views, sizeof views, "; so %s.alignment, %.3g, is small without any invariance", space, alignment);
    snprintf(says, sizeof says,
             "%s.direction_spread is %.3g, below %.3g, and %s.uniformity %.3g: all samples point one way%s", space,
             spread, in->options->collapse_spread, space, value_of(in, section, "uniformity"), views);
    warn(in, "complete", spread, says);
}

void inspect_collapse(struct inspect *in)
{
    if (in->subject->projector) {
        look_at_scale(in, in->out->z_width);
        look_at_rank(in, INVAR_INSPECT_EMBEDDING, "z", in->out->z_width);
        look_at_directions(in, INVAR_INSPECT_EMBEDDING, "z");
    }
    look_at_rank(in, INVAR_INSPECT_REPRESENTATION, "h", in->out->h_width);
    look_at_directions(in, INVAR_INSPECT_REPRESENTATION, "h");
}
