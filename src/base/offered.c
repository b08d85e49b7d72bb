/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays that a program offers in the place of files. */
#include "base/offered.h"
#include "invar/memory.h"

#include <pthread.h>
#include <string.h>

struct offer {
    struct offer *next;
    struct invar_array array;
    char name[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct offer *offers;

/* Where the offer of that name hangs, or would. */
static struct offer **find(const char *name)
{
    struct offer **at = &offers;

    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

void invar_npy_withdraw(const char *name)
{
    pthread_mutex_lock(&lock);
    struct offer **at = find(name), *offer = *at;
    if (offer)
        *at = offer->next;
    pthread_mutex_unlock(&lock);
    invar_free(offer);
}

bool invar_npy_offer(const char *name, const struct invar_array *array, struct invar_error *err)
{
    const size_t length = strlen(name);

    if (strncmp(name, OFFERED_PREFIX, strlen(OFFERED_PREFIX)) != 0 || length < 5 ||
        strcmp(name + length - 4, ".npy") != 0)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s: expected memory:NAME.npy as the name of an array", name);
    if (!array->data || array->rank < 1 || array->rank > INVAR_MAX_RANK || invar_array_count(array) < 1)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: the array is empty; expected at least one number", name);
    struct offer *offer = invar_alloc(1, sizeof *offer + length + 1, err);
    if (!offer)
        return false;
    offer->array = *array;
    strcpy(offer->name, name);
    pthread_mutex_lock(&lock); /* one lock for both: a reader finds the array before or this one */
    struct offer **at = find(name), *before = *at;
    if (before)
        *at = before->next;
    offer->next = offers;
    offers = offer;
    pthread_mutex_unlock(&lock);
    invar_free(before);
    return true;
}

bool offered_read(struct invar_array *out, const char *name, bool data, struct invar_error *err)
{
    pthread_mutex_lock(&lock);
    const struct offer *offer = *find(name);
    bool ok = offer != NULL;

    if (!ok)
        invar_error_set(err, INVAR_ERROR_FILE,
                        "%s: there is no array of that name in this process; data from memory are gone when it ends: "
                        "offer them again, or name another source",
                        name);
    else if (data)
        ok = invar_array_alloc(out, offer->array.dtype, offer->array.rank, offer->array.shape, err);
    else
        *out = offer->array;
    if (ok && data)
        memcpy(out->data, offer->array.data, (size_t)invar_array_count(out) * invar_dtype_size(out->dtype));
    if (ok && !data)
        out->data = NULL;
    pthread_mutex_unlock(&lock);
    return ok;
}
