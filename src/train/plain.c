/* SPDX-License-Identifier: Apache-2.0 */
/* What the views of a batch were made of: the plain inputs, and which columns were changed, for terms that read them.
 */
#include "train/batch.h"

static bool reads(const struct invar_batch *b, enum invar_role role)
{
    return (invar_objective_roles(b->given->recipe->objective) & INVAR_ROLE_BIT(role)) != 0;
}

static struct invar_matrix inputs(const struct invar_batch *b, float *data)
{
    return (struct invar_matrix){.dtype = INVAR_FLOAT32, .rows = b->all, .cols = b->global_size, .data = data};
}

/* On a planning device nothing has memory, but shapes are there: terms check themselves by shape. */
bool plain_create(struct invar_batch *b, struct invar_error *err)
{
    const bool planning = invar_device_is_planning(b->given->device);
    const size_t batch = (size_t)b->all, width = (size_t)b->global_size * sizeof(float);

    if (b->views > b->global_views && (reads(b, INVAR_ROLE_X) || reads(b, INVAR_ROLE_M)))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "a term reads the plain input, which local views have not; set views.local=0");
    if (reads(b, INVAR_ROLE_X)) {
        b->plain = planning ? NULL : invar_device_alloc(b->given->device, batch, width, err);
        b->host_plain = planning ? NULL : invar_alloc(batch, width, err);
        if (!planning && (!b->plain || !b->host_plain))
            return false;
    }
    if (reads(b, INVAR_ROLE_M)) {
        b->mask = planning ? NULL : invar_device_alloc(b->given->device, batch * (size_t)b->views, width, err);
        if (!planning && !b->mask)
            return false;
    }
    return true;
}

void plain_free(struct invar_batch *b)
{
    invar_free(b->host_plain);
    invar_device_free(b->given->device, b->plain);
    invar_device_free(b->given->device, b->mask);
}

/* Rows of every rank, in their order, to their places on the device; where every rank has made those of all there is
 * nothing to ask the others for. */
static bool share(const struct invar_batch *b, const float *own, float *out, struct invar_error *err)
{
    const int64_t loaded = batch_loaded(b) * b->global_size;

    if (loaded == b->all * b->global_size) {
        invar_device_upload(b->given->device, out, own, (size_t)loaded * sizeof *own);
        return true;
    }
    return ranks_gather_host(b->given->options.ranks, b->given->device, own, loaded, out, err);
}

/* The plain input costs a second pass over the samples on the host, so it is made only where a term reads it. */
bool plain_fill(struct invar_batch *b, struct invar_error *err)
{
    const int64_t loaded = batch_loaded(b) * b->global_size;

    if (b->plain && (!invar_view_maker_plain(b->maker, b->loaded, batch_loaded(b), b->host_plain, err) ||
                     !share(b, b->host_plain, b->plain, err)))
        return false;
    for (int64_t v = 0; b->mask && v < b->views; v++)
        if (!share(b, invar_view_maker_drawn(b->maker)->mask + v * loaded, b->mask + v * b->all * b->global_size, err))
            return false;
    return true;
}

void plain_offer(const struct invar_batch *b, struct invar_embeddings *e)
{
    if (reads(b, INVAR_ROLE_X))
        e->by[INVAR_ROLE_X][0] = inputs(b, b->plain);
    for (int64_t v = 0; reads(b, INVAR_ROLE_M) && v < b->views; v++)
        e->by[INVAR_ROLE_M][v] = inputs(b, b->mask ? b->mask + v * b->all * b->global_size : NULL);
}
