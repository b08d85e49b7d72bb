/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shot_noise. A value is one of 256, so that a Poisson count can be drawn by inversion of a table: for each level the
 * distribution function in units of 2^-32, and where to begin looking for the upper six bits of a word.
 */
#include "eval/corruption/corruption.h"

#include <math.h>

#define LEVELS 256
#define BUCKETS 64
#define BUCKET_SHIFT 26

struct corruption_poisson {
    double k;                        /* counts that the value 1 stands for */
    size_t most;                     /* counts that a level may need */
    uint32_t least[LEVELS];          /* the first count with a chance of 2^-32 */
    uint32_t first[LEVELS];          /* its place in below */
    uint16_t begin[LEVELS][BUCKETS]; /* counts after the first at which to begin */
    uint32_t *below;                 /* chance of this count or fewer; UINT32_MAX: all others */
};

void corruption_poisson_free(struct corruption_poisson *poisson)
{
    if (poisson)
        invar_free(poisson->below);
    invar_free(poisson);
}

/* Distribution function of one level from `used` on; returns the places used then. Values have 256 levels, so 256
 * distributions are tabulated once and a draw is a search in one of them. It begins where the chance reaches 2^-32,
 * below which no word of 32 bits can fall. */
static uint32_t tabulate(struct corruption_poisson *poisson, int level, double k, uint32_t used)
{
    const double mean = level / 255.0 * k;
    double chance = exp(-mean), sum = chance;
    uint32_t count = 0, last = 0;

    while (sum * 0x1p32 < 1.0)
        sum += chance *= mean / ++count;
    poisson->least[level] = count;
    poisson->first[level] = used;
    for (; last < UINT32_MAX && used - poisson->first[level] < poisson->most; used++) {
        const double scaled = sum * 0x1p32;
        last = scaled < 0x1p32 - 1 && chance * 0x1p40 > 1.0 ? (uint32_t)scaled : UINT32_MAX;
        poisson->below[used] = last;
        sum += chance *= mean / ++count;
    }
    /* The last place takes all that is left, so that a search ends whatever rounding has left of the sum. */
    poisson->below[used - 1] = UINT32_MAX;
    for (uint32_t bucket = 0, at = poisson->first[level]; bucket < BUCKETS; bucket++) {
        while (poisson->below[at] <= bucket << BUCKET_SHIFT && poisson->below[at] < UINT32_MAX)
            at++;
        poisson->begin[level][bucket] = (uint16_t)(at - poisson->first[level]);
    }
    return used;
}

static struct corruption_poisson *poisson_create(double k, struct invar_error *err)
{
    struct corruption_poisson *poisson = invar_alloc(1, sizeof *poisson, err);
    uint32_t used = 0;

    if (!poisson)
        return NULL;
    poisson->k = k;
    /* Twelve deviations above the mean of the brightest level: chances are far below 2^-32 there, and 16 more are for
     * small k, whose distribution is nothing like a normal one. */
    poisson->most = (size_t)(k + 12 * sqrt(k) + 16);
    poisson->below = invar_alloc(LEVELS * poisson->most, sizeof *poisson->below, err);
    if (!poisson->below) {
        invar_free(poisson);
        return NULL;
    }
    for (int level = 0; level < LEVELS; level++)
        used = tabulate(poisson, level, k, used);
    return poisson;
}

/* The upper bits of the word say where to begin, so that a search is a step or two. */
static uint32_t draw(const struct corruption_poisson *poisson, uint8_t level, uint32_t word)
{
    const uint32_t *below = poisson->below + poisson->first[level];
    uint32_t at = poisson->begin[level][word >> BUCKET_SHIFT];
    while (word >= below[at] && below[at] < UINT32_MAX)
        at++;
    return poisson->least[level] + at;
}

/* One word a value, whatever the count: what follows in the stream does not depend on the image. */
static bool shot_noise(struct corruption_work *work, struct invar_error *err)
{
    const double k = work->setting[0];
    struct corruption_poisson **poisson = &work->scratch->poisson[work->table][work->severity];
    float *x = corruption_floats(work, work->values, err);

    if (x && *poisson && (*poisson)->k != k) { /* images of several sizes between the tables */
        corruption_poisson_free(*poisson);
        *poisson = NULL;
    }
    if (x && !*poisson)
        *poisson = poisson_create(k, err);
    if (!x || !*poisson)
        return false;
    for (size_t i = 0; i < work->values; i++)
        x[i] = (float)draw(*poisson, work->in[i], invar_random_bits(&work->random)) * (float)(1 / k);
    corruption_bytes(work->out, x, work->values);
    return true;
}

const struct corruption_kind corruption_shot_noise = {
    .apply = shot_noise, /* k */
    .setting = {{{500}, {250}, {100}, {75}, {50}}, {{60}, {25}, {12}, {5}, {3}}},
};
