/* SPDX-License-Identifier: Apache-2.0 */
/* The table of optimisers, the walk over parameters that they share, and their updates of whole nets. */
#include "train/optimisers.h"

#include "base/names.h"
#include "invar/memory.h"

#include <stdio.h>
#include <string.h>

#define LISTED(name) &invar_optimiser_##name,
/* From the same list as the declarations, so an optimiser that is declared is also found. */
static const struct invar_optimiser_spec *const optimisers[] = {INVAR_OPTIMISERS(LISTED) NULL};

const struct invar_optimiser_spec *const *invar_optimiser_list(void)
{
    return optimisers;
}

const struct invar_optimiser_spec *invar_optimiser_find(const char *name, struct invar_error *err)
{
    return names_find(NAMES_POINTERS("optimiser", optimisers), "optimiser.kind", name, err);
}

/* Statistics lie in a vector of their own, so skipping them never breaks a stretch. BY_KIND joins neighbours that are
 * updated alike: in a ResNet-18, 60 parameters are 40 such stretches, and every stretch is a piece of work to hand
 * out. */
bool segment_next(const struct invar_net *net, enum invar_segment_cut cut, int *cursor, struct invar_segment *out)
{
    int i = *cursor;
    bool found = false;

    if (cut == INVAR_SEGMENT_WHOLE) {
        *out = (struct invar_segment){.offset = 0, .count = net->trained_count, .one_dimensional = false};
        *cursor = 1;
        return i == 0;
    }
    for (; i < net->parameter_count; i++) {
        const struct invar_parameter *p = &net->parameters[i];
        bool one = p->role == INVAR_PARAMETER_BIAS || p->role == INVAR_PARAMETER_NORM;
        if (p->role == INVAR_PARAMETER_STATISTIC)
            continue;
        if (found &&
            (cut == INVAR_SEGMENT_EACH || one != out->one_dimensional || p->offset != out->offset + out->count))
            break;
        if (found)
            out->count += p->count;
        else
            *out = (struct invar_segment){.offset = p->offset, .count = p->count, .one_dimensional = one};
        found = true;
    }
    *cursor = i;
    return found;
}

/* Everything that is the same in every step is laid out once; a step passes a pointer to its scalars. */
struct invar_optimiser {
    const struct invar_optimiser_spec *spec;
    struct invar_device *device;
    struct invar_segment *segments;
    double *decay; /* [count]; NULL where no norms are read */
    struct invar_update update;
};

static int count_segments(const struct invar_net *net, enum invar_segment_cut cut, struct invar_segment *out)
{
    struct invar_segment s;
    int cursor = 0, count = 0;

    while (segment_next(net, cut, &cursor, &s)) {
        if (out)
            out[count] = s;
        count++;
    }
    return count;
}

/* Two norms a segment, of the parameter and of what the step would follow; one slot more, since a net without
 * parameters still asks for memory. */
static bool make_norms(struct invar_optimiser *o, struct invar_error *err)
{
    struct invar_update *u = &o->update;

    if (!o->spec->norm_decay)
        return true;
    o->decay = invar_alloc((size_t)u->count + 1, sizeof *o->decay, err);
    u->norms = o->decay ? invar_device_alloc(o->device, 2 * (size_t)u->count + 1, sizeof *u->norms, err) : NULL;
    for (int i = 0; u->norms && i < u->count; i++)
        o->decay[i] = o->spec->norm_decay(u->options, &o->segments[i]);
    return u->norms != NULL;
}

struct invar_optimiser *invar_optimiser_create(const struct invar_optimiser_spec *spec, const void *options,
                                               const struct invar_weights *weights, float *const *buffers,
                                               struct invar_error *err)
{
    struct invar_optimiser *o = invar_alloc(1, sizeof *o, err);
    const enum invar_segment_cut cut = spec->cut ? spec->cut(options) : INVAR_SEGMENT_WHOLE;
    const int count = count_segments(weights->net, cut, NULL);

    if (!o)
        return NULL;
    o->spec = spec;
    o->device = weights->device;
    o->update = (struct invar_update){.name = spec->name,
                                      .kernel = spec->kernel,
                                      .options = options,
                                      .parameters = weights->parameters,
                                      .gradients = weights->gradients,
                                      .count = count};
    for (int b = 0; b < spec->buffers; b++)
        o->update.buffers[b] = buffers[b];
    o->update.segments = o->segments = invar_alloc((size_t)count + 1, sizeof *o->segments, err);
    if (o->segments) {
        count_segments(weights->net, cut, o->segments);
        if (make_norms(o, err))
            return o;
    }
    invar_optimiser_free(o);
    return NULL;
}

void invar_optimiser_free(struct invar_optimiser *o)
{
    if (!o)
        return;
    invar_device_free(o->device, o->update.norms);
    invar_free(o->decay);
    invar_free(o->segments);
    invar_free(o);
}

/* What depends on the number of the step is made here, in double on the host, and travels as four numbers: kernels
 * know no step and need no pow. GO and CLIP are 1 until the device decides otherwise. */
void invar_optimiser_scalars(const struct invar_optimiser *o, double rate, int64_t step, double *scalars)
{
    for (int i = 0; i < INVAR_SCALAR_COUNT; i++)
        scalars[i] = i == INVAR_SCALAR_GO || i == INVAR_SCALAR_CLIP ? 1 : 0;
    scalars[INVAR_SCALAR_RATE] = rate;
    if (o->spec->scalars)
        o->spec->scalars(o->update.options, rate, step, scalars + INVAR_SCALAR_OWN);
}

/* Norms first, of all segments in one call: a device that computes elsewhere is called twice a net, not twice a
 * parameter. */
void invar_optimiser_update(struct invar_optimiser *o, const double *scalars)
{
    o->update.scalars = scalars;
    if (o->decay)
        invar_device_segment_squares(o->device, &o->update, o->decay);
    invar_device_update(o->device, &o->update);
}
