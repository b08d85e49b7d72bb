/* SPDX-License-Identifier: Apache-2.0 */
#include "invar/expert/random.h"

#include "base/elementary.h"

#include <Random123/philox.h>
#include <math.h>

#define BLOCK_WORDS 4u
#define LANES 8 /* blocks that are made side by side */

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

/* Box-Muller. The radius in (0, 1], with all 32 bits where it matters: the tail reaches 6.6 deviations. */
INVAR_INLINE float normal_of(uint32_t radius, uint32_t angle)
{
    const float r = ((float)radius + 1.0f) * 0x1p-32f, turns = (float)(angle >> 8) * 0x1p-24f;
    return sqrtf(-2.0f * invar_log_f32(r)) * invar_cos_turns_f32(turns);
}

float invar_random_normal(struct invar_random *random)
{
    const uint32_t radius = invar_random_bits(random);
    return normal_of(radius, invar_random_bits(random));
}

/* One round of Philox for a pair of words and its key. */
INVAR_INLINE void philox_round(uint32_t word[4][LANES], const uint32_t key[2])
{
    for (int l = 0; l < LANES; l++) {
        const uint64_t first = (uint64_t)0xd2511f53u * word[0][l], second = (uint64_t)0xcd9e8d57u * word[2][l];
        word[0][l] = (uint32_t)(second >> 32) ^ word[1][l] ^ key[0];
        word[1][l] = (uint32_t)second;
        word[2][l] = (uint32_t)(first >> 32) ^ word[3][l] ^ key[1];
        word[3][l] = (uint32_t)first;
    }
}

/* What 2 * LANES calls of invar_random_normal give from the beginning of a block on. */
INVAR_CLONES static void normals_of_blocks(const struct invar_random *random, float *out)
{
    uint32_t word[4][LANES], key[2] = {random->key[0], random->key[1]};
    float normal[2][LANES];

    for (int l = 0; l < LANES; l++) {
        word[0][l] = random->counter[0] + (uint32_t)l;
        for (int w = 1; w < 4; w++)
            word[w][l] = random->counter[w];
    }
    for (int i = 0; i < 10; i++) {
        philox_round(word, key);
        key[0] += 0x9e3779b9u;
        key[1] += 0xbb67ae85u;
    }
    for (int half = 0; half < 2; half++)
        for (int l = 0; l < LANES; l++)
            normal[half][l] = normal_of(word[2 * half][l], word[2 * half + 1][l]);
    for (int l = 0; l < LANES; l++) {
        out[2 * l] = normal[0][l];
        out[2 * l + 1] = normal[1][l];
    }
}

void invar_random_normals(struct invar_random *random, float *out, int64_t count)
{
    int64_t i = 0;

    while (i < count && random->used < BLOCK_WORDS)
        out[i++] = invar_random_normal(random);
    for (; count - i >= 2 * LANES; i += 2 * LANES, random->counter[0] += LANES)
        normals_of_blocks(random, out + i);
    for (; i < count; i++)
        out[i] = invar_random_normal(random);
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
