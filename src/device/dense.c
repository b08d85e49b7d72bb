/* SPDX-License-Identifier: Apache-2.0 */
/* The dense operations of dense.h, passed on to the backend of their device. */
#include "device/backend.h"

#include <string.h>

/* Rows and columns are the caller's and may be anything: their product is checked before it is a size. */
bool invar_dense_take(struct invar_scratch *scratch, enum invar_dtype dtype, int64_t rows, int64_t cols,
                      struct invar_matrix *out, struct invar_error *err)
{
    size_t count;
    if (!invar_size_multiply((size_t)rows, (size_t)cols, &count))
        return invar_error_set(err, INVAR_ERROR_MEMORY, "a matrix of %lld x %lld numbers is too large", (long long)rows,
                               (long long)cols);
    void *data = invar_device_take(scratch, count, invar_dtype_size(dtype), err);
    if (!data)
        return false;
    *out = (struct invar_matrix){.dtype = dtype, .rows = rows, .cols = cols, .data = data};
    return true;
}

/* On the host, where ids are; open addressing in a table twice as large as the batch, with no allocation after the
 * first step. Groups are numbered in the order in which they come, so the same batch has the same columns. */
bool invar_dense_group_index(struct invar_device *device, struct invar_scratch *scratch, const int64_t *ids,
                             int64_t count, int64_t *index, int64_t *groups, struct invar_error *err)
{
    size_t slots = 2;
    int64_t known = 0;

    while (slots < 2 * (size_t)count)
        slots *= 2;
    int64_t *table = invar_scratch_take(scratch, slots, sizeof *table, err); /* a sample of each id, -1: free */
    int64_t *host = invar_scratch_take(scratch, (size_t)count, sizeof *host, err);
    if (!table || !host)
        return false;
    memset(table, -1, slots * sizeof *table);
    for (int64_t i = 0; i < count; i++) {
        size_t at = (size_t)(((uint64_t)ids[i] * 0x9e3779b97f4a7c15u) >> 32) & (slots - 1);
        while (table[at] >= 0 && ids[table[at]] != ids[i])
            at = (at + 1) & (slots - 1);
        if (table[at] < 0) {
            table[at] = i;
            host[i] = known++;
        } else {
            host[i] = host[table[at]];
        }
    }
    invar_device_upload(device, index, host, (size_t)count * sizeof *host);
    *groups = known;
    return true;
}

void invar_dense_share(struct invar_device *device, const struct invar_dense_ranks *ranks)
{
    device->ranks = ranks;
}

/* Any device that has products has this; one that has a faster way puts it into its table. */
static void default_covariance(struct invar_device *device, const struct invar_matrix *centred,
                               const struct invar_matrix *c)
{
    invar_dense_gram(device, true, 1.0 / (double)(centred->rows - 1), centred, c);
}

/* One jump through the table; what the arguments must be is the caller's to keep, as dense.h says, and is not checked
 * here again: these run hundreds of times a step. */
#define PASS_ON(name, parameters, arguments)                                                                           \
    void invar_dense_##name parameters                                                                                 \
    {                                                                                                                  \
        device->backend->dense.name arguments;                                                                         \
    }
#define PASS_ON_ANSWER(type, name, parameters, arguments)                                                              \
    type invar_dense_##name parameters                                                                                 \
    {                                                                                                                  \
        return device->backend->dense.name arguments;                                                                  \
    }
#define PASS_ON_OR_DEFAULT(name, parameters, arguments)                                                                \
    void invar_dense_##name parameters                                                                                 \
    {                                                                                                                  \
        (device->backend->dense.name ? device->backend->dense.name : default_##name) arguments;                        \
    }
DENSE_LIST(PASS_ON, PASS_ON_ANSWER, PASS_ON_OR_DEFAULT)
