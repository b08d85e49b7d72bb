/* SPDX-License-Identifier: Apache-2.0 */
/* What the views of a batch were made of: the plain inputs, and which columns were changed, for terms that read them.
 */
#include "train/trainer.h"

static bool reads(const struct invar_trainer *t, enum invar_role role)
{
    return (invar_objective_roles(t->recipe->objective) & INVAR_ROLE_BIT(role)) != 0;
}

static struct invar_matrix inputs(const struct invar_trainer *t, float *data)
{
    return (struct invar_matrix){.dtype = INVAR_FLOAT32, .rows = t->batch, .cols = t->global_size, .data = data};
}

bool invar_plain_create(struct invar_trainer *t, struct invar_error *err)
{
    const bool planning = invar_device_is_planning(t->device);
    const size_t batch = (size_t)t->batch, width = (size_t)t->global_size * sizeof(float);

    if (t->views > t->global_views && (reads(t, INVAR_ROLE_X) || reads(t, INVAR_ROLE_M)))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "a term reads the plain input, which local views have not; set views.local=0");
    if (reads(t, INVAR_ROLE_X)) {
        t->plain = planning ? NULL : invar_device_alloc(t->device, batch, width, err);
        t->host_plain = planning ? NULL : invar_alloc(batch, width, err);
        t->embeddings.by[INVAR_ROLE_X][0] = inputs(t, t->plain);
        if (!planning && (!t->plain || !t->host_plain))
            return false;
    }
    if (reads(t, INVAR_ROLE_M)) {
        t->mask = planning ? NULL : invar_device_alloc(t->device, batch * (size_t)t->views, width, err);
        for (int64_t v = 0; v < t->views; v++)
            t->embeddings.by[INVAR_ROLE_M][v] = inputs(t, t->mask ? t->mask + v * t->batch * t->global_size : NULL);
        if (!planning && !t->mask)
            return false;
    }
    return true;
}

void invar_plain_free(struct invar_trainer *t)
{
    invar_free(t->host_plain);
    invar_device_free(t->device, t->plain);
    invar_device_free(t->device, t->mask);
}

bool invar_plain_fill(struct invar_trainer *t, struct invar_error *err)
{
    const size_t bytes = (size_t)(t->batch * t->global_size) * sizeof(float);

    if (t->plain) {
        if (!invar_view_maker_plain(t->maker, t->samples, t->batch, t->host_plain, err))
            return false;
        invar_device_upload(t->device, t->plain, t->host_plain, bytes);
    }
    if (t->mask)
        invar_device_upload(t->device, t->mask, invar_view_maker_drawn(t->maker)->mask, bytes * (size_t)t->views);
    return true;
}
