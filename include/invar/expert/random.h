/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_RANDOM_H
#define INVAR_RANDOM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a draw is for; part of the key, so that no two uses share numbers. Append only: the order is part of "same
 * seed, same bits". */
enum invar_random_purpose {
    INVAR_RANDOM_INIT = 1, /**< parameter initialisation; epoch 0, index = parameter number */
    INVAR_RANDOM_ORDER,    /**< sample order of an epoch */
    INVAR_RANDOM_VIEW,     /**< view parameters; epoch, index = sample index, view */
    INVAR_RANDOM_SPLIT,    /**< train/test and held-out splits */
    INVAR_RANDOM_NOISE,    /**< generator noise, additive noise */
    INVAR_RANDOM_TEST,
    INVAR_RANDOM_CORRUPTION,  /**< image corruptions; epoch = corruption and severity, index = sample index */
    INVAR_RANDOM_TERM,        /**< terms that draw; index = step of training */
    INVAR_RANDOM_ENVIRONMENT, /**< what happens in an episode; epoch = copy of the environment, index = episode */
    INVAR_RANDOM_STYLE,       /**< how an environment looks; seed 0, index = number of the style */
    INVAR_RANDOM_REPLAY,      /**< what an agent learns from; index = number of the draw */
    INVAR_RANDOM_ACTION,      /**< what it tries; index = step, view = environment */
    INVAR_RANDOM_RESAMPLE,    /**< runs of a bootstrap; index = number of the resample */
};

/**
 * A stream of Philox 4x32-10 (Random123) numbers. A draw is a function of (seed, purpose, epoch, index, view, how many
 * draws before it), never of thread or arrival order. Make one wherever needed: it is a small value, not an object.
 */
struct invar_random {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4];
    unsigned used; /* words of block already given out; 4 = empty */
};

/** epoch < 2^24, view < 256. */
struct invar_random invar_random_stream(uint64_t seed, enum invar_random_purpose purpose, uint64_t epoch,
                                        uint64_t index, uint32_t view);

uint32_t invar_random_bits(struct invar_random *random);
/** Uniform in [0, 1), a multiple of 2^-24. */
float invar_random_uniform(struct invar_random *random);
/** Uniform in [low, high). */
float invar_random_range(struct invar_random *random, float low, float high);
/** Uniform integer in [0, bound), unbiased; bound >= 1. */
uint32_t invar_random_below(struct invar_random *random, uint32_t bound);
/** Standard normal (Box-Muller, one value a call). */
float invar_random_normal(struct invar_random *random);
/** The same numbers as count calls of invar_random_normal, in a fraction of the time. */
void invar_random_normals(struct invar_random *random, float *out, int64_t count);
/** Fisher-Yates on order[count], count < 2^32. */
void invar_random_shuffle(struct invar_random *random, int64_t *order, int64_t count);

#ifdef __cplusplus
}
#endif

#endif
