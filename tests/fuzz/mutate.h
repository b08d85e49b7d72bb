/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mutation fuzzing within the test suite: a good file is damaged in seeded ways, and reading it must end in success or
 * in one sentence, never in a crash (run the suite with sanitizers for the full value). Round N always makes the same
 * file; INVAR_FUZZ_FIRST=N begins there, INVAR_FUZZ_SECONDS=S sets how long it goes on.
 */
#ifndef INVAR_TESTS_FUZZ_MUTATE_H
#define INVAR_TESTS_FUZZ_MUTATE_H

#include "test.h"
#include "invar/expert/random.h"

#include <time.h>

/** Reads the file at path; true when it was accepted. */
typedef bool fuzz_read(const char *path, struct invar_error *err);

/** Values that headers are sensitive to. */
static inline uint8_t fuzz_byte(struct invar_random *random)
{
    static const uint8_t special[] = {0, 1, 0x7f, 0x80, 0xff, ' ', '0', '7', '/', '.'};
    return invar_random_below(random, 2) ? special[invar_random_below(random, sizeof special)]
                                         : (uint8_t)invar_random_below(random, 256);
}

/** Damages data[*size] in place (room for twice as much) in one to four ways. */
static inline void fuzz_mutate(uint8_t *data, size_t *size, struct invar_random *random)
{
    for (uint32_t n = 1 + invar_random_below(random, 4); n > 0 && *size > 0; n--) {
        size_t at = invar_random_below(random, (uint32_t)*size);
        /* half of the time near the start, where the headers are */
        if (invar_random_below(random, 2))
            at %= 64;
        at = at < *size ? at : 0;
        size_t left = *size - at, run = 1 + invar_random_below(random, 16);
        run = run < left ? run : left;
        switch (invar_random_below(random, 5)) {
        case 0: /* one bit */
            data[at] = (uint8_t)(data[at] ^ (1u << invar_random_below(random, 8)));
            break;
        case 1: /* a few bytes */
            for (size_t i = 0; i < run; i++)
                data[at + i] = fuzz_byte(random);
            break;
        case 2: /* cut */
            if (invar_random_below(random, 4) == 0)
                *size = at;
            break;
        case 3: /* left out */
            memmove(data + at, data + at + run, left - run);
            *size -= run;
            break;
        default: /* said twice */
            memmove(data + at + run, data + at, left);
            *size += run;
        }
    }
}

/** Reads damaged copies of good[size], written to path, for about two seconds. */
static inline void fuzz_file(const char *path, const uint8_t *good, size_t size, fuzz_read *read)
{
    const char *first = getenv("INVAR_FUZZ_FIRST"), *seconds = getenv("INVAR_FUZZ_SECONDS");
    uint64_t round = first ? strtoull(first, NULL, 10) : 0, begin = round;
    double limit = seconds ? strtod(seconds, NULL) : 2;
    long accepted = 0;
    uint8_t *data = malloc(2 * size + 128);
    struct timespec start, now;

    assert_non_null(data);
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        struct invar_random random = invar_random_stream(1, INVAR_RANDOM_TEST, 0, round, 0);
        struct invar_error err = {0};
        size_t length = size;
        memcpy(data, good, size);
        if (round > 0)
            fuzz_mutate(data, &length, &random);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, length, file), length);
        assert_int_equal(fclose(file), 0);
        bool ok = read(path, &err);
        if (round == 0 && !ok)
            fail_msg("the undamaged file is refused: %s", err.message);
        if (!ok && (err.code == INVAR_OK || !err.message[0]))
            fail_msg("round %llu: refused without a sentence", (unsigned long long)round);
        accepted += ok;
        round++;
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - start.tv_sec) + 1e-9 * (double)(now.tv_nsec - start.tv_nsec) < limit);
    free(data);
    print_message("%llu files, %ld accepted\n", (unsigned long long)(round - begin), accepted);
}

#endif
