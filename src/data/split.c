/* SPDX-License-Identifier: Apache-2.0 */
/* The seeded split of a source that has none: the same fraction of every class, whatever the order of the others. */
#include "data/source.h"

#include "invar/memory.h"
#include "invar/expert/random.h"
#include <math.h>

/* Both sides keep at least one of a class that has two. */
static int64_t test_count(int64_t count, double fraction)
{
    int64_t test = (int64_t)((double)count * fraction + 0.5);
    if (!(fraction > 0) || count < 2)
        return 0;
    if (test < 1)
        return 1;
    return test < count ? test : count - 1;
}

/* Samples of a group are alike: of one class, or with a number or without; 0 has no label. */
static int64_t group_of(const struct data_source *source, int64_t item)
{
    return source->target ? !isnan(source->target[item]) : source->label[item] + 1;
}

bool data_source_split(struct data_source *source, double test_fraction, uint64_t seed, struct invar_error *err)
{
    const int64_t last = source->target ? 1 : source->classes;
    int64_t *start = invar_alloc((size_t)last + 2, sizeof *start, err);
    int64_t *order = invar_alloc((size_t)source->count, sizeof *order, err);
    bool ok = false;

    if (!start || !order)
        goto done;
    /* Counting sort. */
    for (int64_t i = 0; i < source->count; i++)
        start[group_of(source, i)]++;
    for (int64_t c = 0, sum = 0; c <= last; c++) {
        int64_t count = start[c];
        start[c] = sum;
        sum += count;
    }
    for (int64_t i = 0; i < source->count; i++)
        order[start[group_of(source, i)]++] = i;
    /* Now start[c] is the end of group c. */
    for (int64_t c = 0; c <= last; c++) {
        int64_t begin = c ? start[c - 1] : 0, count = start[c] - begin;
        struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_SPLIT, 0, (uint64_t)c, 0);
        int64_t test = test_count(count, test_fraction);
        if (test > 0)
            invar_random_shuffle(&random, order + begin, count);
        for (int64_t i = 0; i < test; i++)
            source->split[order[begin + i]] = INVAR_TEST;
    }
    ok = true;
done:
    invar_free(start);
    invar_free(order);
    return ok;
}
