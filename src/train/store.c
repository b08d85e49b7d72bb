/* SPDX-License-Identifier: Apache-2.0 */
/* Nets with all that their training keeps, to and from a checkpoint. */
#include "train/store.h"

#include "invar/memory.h"

#include <stdio.h>

/* ---- one net, to and from the file, through memory of the host ---- */

/* One net at a time passes through host memory: for large encoders all of them together would double what a run
 * takes. */
bool staging_create(struct invar_staging *s, const struct invar_net *net, struct invar_error *err)
{
    s->parameters = invar_alloc((size_t)net->trained_count, sizeof(float), err);
    s->statistics = invar_alloc((size_t)net->statistic_count + 1, sizeof(float), err);
    return s->parameters && s->statistics;
}

void staging_free(struct invar_staging *s)
{
    invar_free(s->parameters);
    invar_free(s->statistics);
}

bool store_weights(const struct invar_weights *w, const char *prefix, struct invar_safetensors *file,
                   struct invar_error *err)
{
    struct invar_staging s = {0};
    bool ok = staging_create(&s, w->net, err);

    if (ok) {
        weights_download(w, s.parameters, s.statistics);
        ok = invar_net_store(w->net, s.parameters, s.statistics, prefix, file, err);
    }
    staging_free(&s);
    return ok;
}

/* Only a net that was read whole is uploaded: a checkpoint that turns out to be torn in the middle leaves weights of
 * two steps mixed, which is why `resume` begins anew where none is whole. */
bool restore_weights(struct invar_weights *w, const char *prefix, const struct invar_safetensors *file,
                     const char *path, struct invar_error *err)
{
    struct invar_staging s = {0};
    bool ok = staging_create(&s, w->net, err) &&
              invar_net_restore(w->net, s.parameters, s.statistics, prefix, file, path, err);

    if (ok) {
        weights_upload(w, s.parameters, s.statistics);
    }
    staging_free(&s);
    return ok;
}

static void buffer_name(char *out, size_t size, const struct invar_chain_net *n, int b)
{
    snprintf(out, size, "optimiser.%s.%d", n->name, b);
}

/* Buffers go as they are in memory, without names of parameters: they mean something to the same net and the same
 * optimiser alone, which the recipe in the metadata guarantees. */
static bool store_buffer(const struct invar_chain_net *n, int b, struct invar_safetensors *file,
                         struct invar_error *err)
{
    int64_t shape[] = {n->net->trained_count};
    struct invar_array array = {0};
    char name[64];
    bool ok = invar_array_alloc(&array, INVAR_FLOAT32, 1, shape, err);

    buffer_name(name, sizeof name, n, b);
    if (ok) {
        invar_device_download(n->weights->device, array.data, n->buffers[b], (size_t)shape[0] * sizeof(float));
        ok = invar_safetensors_add(file, name, &array, err);
    }
    invar_array_free(&array);
    return ok;
}

static bool restore_buffer(const struct invar_chain_net *n, int b, const struct invar_safetensors *file,
                           const char *path, struct invar_error *err)
{
    const struct invar_array *array;
    char name[64];

    buffer_name(name, sizeof name, n, b);
    array = invar_safetensors_get(file, name);
    if (!array || array->dtype != INVAR_FLOAT32 || array->rank != 1 || array->shape[0] != n->net->trained_count)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: %s is missing or has another size", path, name);
    invar_device_upload(n->weights->device, n->buffers[b], array->data, (size_t)array->shape[0] * sizeof(float));
    return true;
}

bool store_net(const struct invar_chain_net *n, struct invar_safetensors *file, struct invar_error *err)
{
    char prefix[64];

    if (!n->net)
        return true;
    snprintf(prefix, sizeof prefix, "%s.", n->name);
    if (!store_weights(n->weights, prefix, file, err))
        return false;
    snprintf(prefix, sizeof prefix, "target.%s.", n->name);
    if (n->target_weights && !store_weights(n->target_weights, prefix, file, err))
        return false;
    for (int b = 0; b < n->buffer_count; b++)
        if (!store_buffer(n, b, file, err))
            return false;
    return true;
}

bool restore_net(const struct invar_chain_net *n, const struct invar_safetensors *file, const char *path,
                 struct invar_error *err)
{
    char prefix[64];

    if (!n->net)
        return true;
    snprintf(prefix, sizeof prefix, "%s.", n->name);
    if (!restore_weights(n->weights, prefix, file, path, err))
        return false;
    snprintf(prefix, sizeof prefix, "target.%s.", n->name);
    if (n->target_weights && !restore_weights(n->target_weights, prefix, file, path, err))
        return false;
    for (int b = 0; b < n->buffer_count; b++)
        if (!restore_buffer(n, b, file, path, err))
            return false;
    return true;
}
