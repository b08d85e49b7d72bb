/* SPDX-License-Identifier: Apache-2.0 */
#include "invar/random.h"
#include <Random123/philox.h>
#include <math.h>

#define BLOCK_WORDS 4u

static philox4x32_ctr_t philox(const uint32_t counter[4], const uint32_t key[2])
{
    philox4x32_ctr_t c = {{counter[0], counter[1], counter[2], counter[3]}};
    philox4x32_key_t k = {{key[0], key[1]}};
    return philox4x32_R(10, c, k);
}

struct invar_random invar_random_stream(uint64_t seed, enum invar_random_purpose purpose, uint64_t epoch,
                                        uint64_t index, uint32_t view)
{
    /* The key is a Philox block of (seed, purpose), so that neighbouring seeds and purposes have unrelated keys. The
     * counter holds the rest: word 0 counts blocks, word 1 epoch and view, words 2 and 3 the index. */
    const uint32_t seed_key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t seed_counter[4] = {(uint32_t)purpose, 0, 0, 0};
    philox4x32_ctr_t key = philox(seed_counter, seed_key);
    struct invar_random random = {
        .key = {key.v[0], key.v[1]},
        .counter = {0, (uint32_t)(epoch << 8) | (view & 0xffu), (uint32_t)index, (uint32_t)(index >> 32)},
        .used = BLOCK_WORDS,
    };
    return random;
}

uint32_t invar_random_bits(struct invar_random *random)
{
    if (random->used >= BLOCK_WORDS) {
        philox4x32_ctr_t block = philox(random->counter, random->key);
        for (unsigned i = 0; i < BLOCK_WORDS; i++)
            random->block[i] = block.v[i];
        random->counter[0]++;
        random->used = 0;
    }
    return random->block[random->used++];
}

float invar_random_uniform(struct invar_random *random)
{
    return (float)(invar_random_bits(random) >> 8) * 0x1p-24f;
}

float invar_random_range(struct invar_random *random, float low, float high)
{
    float value = low + (high - low) * invar_random_uniform(random);
    /* The rounded product may reach high, which the interval leaves out. */
    return value < high ? value : nextafterf(high, low);
}

uint32_t invar_random_below(struct invar_random *random, uint32_t bound)
{
    /* Lemire's multiplication: the high word is uniform once low words under 2^32 mod bound are drawn again. */
    uint64_t product = (uint64_t)invar_random_bits(random) * bound;
    if ((uint32_t)product < bound) {
        uint32_t threshold = (0u - bound) % bound;
        while ((uint32_t)product < threshold)
            product = (uint64_t)invar_random_bits(random) * bound;
    }
    return (uint32_t)(product >> 32);
}

float invar_random_normal(struct invar_random *random)
{
    /* In (0, 1], with all 32 bits where it matters: the tail reaches 6.6 deviations. */
    float radius = ((float)invar_random_bits(random) + 1.0f) * 0x1p-32f;
    float angle = invar_random_uniform(random) * 6.28318530717958648f;
    return sqrtf(-2.0f * logf(radius)) * cosf(angle);
}

void invar_random_shuffle(struct invar_random *random, int64_t *order, int64_t count)
{
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t j = invar_random_below(random, (uint32_t)(i + 1));
        int64_t swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
}
