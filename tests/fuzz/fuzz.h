/* SPDX-License-Identifier: Apache-2.0 */
/* A small deterministic fuzzer: seeds are mutated, written to a file in memory and given to a reader, which must either
 * accept (and then hold something consistent) or refuse with a code and a sentence. FUZZ_SEED=N in the environment
 * replays or varies a run; a failure prints the seed and the round. */
#ifndef INVAR_TESTS_FUZZ_H
#define INVAR_TESTS_FUZZ_H

#include "invar/error.h"
#include "invar/expert/random.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define FUZZ_CAPACITY 4096
#define FUZZ_SECONDS 2

struct fuzz_input {
    unsigned char data[FUZZ_CAPACITY + 1]; /* room for a NUL that size does not count */
    size_t size;
};

/** What the reader did with one input: it accepted (true) or refused with err set. Called once a round. */
typedef bool (*fuzz_target)(const struct fuzz_input *input, const char *path, struct invar_error *err);

static inline void fuzz_check(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz: %s\n", what);
    abort();
}

static inline void fuzz_insert(struct fuzz_input *input, size_t at, const void *data, size_t size)
{
    if (input->size + size > FUZZ_CAPACITY)
        return;
    memmove(input->data + at + size, input->data + at, input->size - at);
    memcpy(input->data + at, data, size);
    input->size += size;
}

static inline void fuzz_erase(struct fuzz_input *input, size_t at, size_t size)
{
    if (size > input->size - at)
        size = input->size - at;
    memmove(input->data + at, input->data + at + size, input->size - at - size);
    input->size -= size;
}

/** One random change; tokens (NULL-ended) are bits of the format worth inserting. */
static inline void fuzz_mutate(struct fuzz_input *input, const char *const *tokens, struct invar_random *random)
{
    static const unsigned char bytes[] = {0, 1, 0x7f, 0x80, 0xff, '0', '9', '-', '"', '{', '[', '\n', ' '};
    size_t at = invar_random_below(random, (uint32_t)input->size + 1);
    size_t length = 1 + invar_random_below(random, 16);
    uint32_t count = 0;
    unsigned char copy[16];
    while (tokens[count])
        count++;
    switch (invar_random_below(random, 7)) {
    case 0:
        if (at < input->size)
            input->data[at] ^= (unsigned char)(1u << invar_random_below(random, 8));
        break;
    case 1:
        if (at < input->size)
            input->data[at] = bytes[invar_random_below(random, sizeof bytes)];
        break;
    case 2:
        fuzz_erase(input, at, length);
        break;
    case 3:
        if (length > input->size - at)
            length = input->size - at;
        memcpy(copy, input->data + at, length);
        fuzz_insert(input, invar_random_below(random, (uint32_t)input->size + 1), copy, length);
        break;
    case 4:
        if (invar_random_below(random, 8) == 0)
            input->size = at;
        break;
    case 5: {
        const char *token = tokens[invar_random_below(random, count)];
        fuzz_insert(input, at, token, strlen(token));
        break;
    }
    default: {
        const char *token = tokens[invar_random_below(random, count)];
        fuzz_erase(input, at, strlen(token));
        fuzz_insert(input, at, token, strlen(token));
    }
    }
}

/** Runs at most rounds rounds or FUZZ_SECONDS seconds; the exit status of the program. */
static inline int fuzz_run(const char *name, const struct fuzz_input *seeds, uint32_t seed_count,
                           const char *const *tokens, fuzz_target target, uint64_t rounds)
{
    const char *text = getenv("FUZZ_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 1, round, accepted = 0;
    int descriptor = memfd_create(name, 0);
    fuzz_check(descriptor >= 0, "no file in memory could be made");
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    clock_t end = clock() + FUZZ_SECONDS * CLOCKS_PER_SEC;
    for (round = 0; round < rounds && clock() < end; round++) {
        struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_TEST, 0, round, 0);
        struct fuzz_input input = seeds[invar_random_below(&random, seed_count)];
        for (uint32_t changes = invar_random_below(&random, 6); changes > 0; changes--)
            fuzz_mutate(&input, tokens, &random);
        input.data[input.size] = '\0';
        bool ready =
            ftruncate(descriptor, 0) == 0 && pwrite(descriptor, input.data, input.size, 0) == (ssize_t)input.size;
        fuzz_check(ready, "the file in memory could not be written");
        struct invar_error err = {0};
        bool ok = target(&input, path, &err);
        if (ok ? err.code != INVAR_OK : err.code == INVAR_OK || !err.message[0] || err.code == INVAR_ERROR_MEMORY) {
            fprintf(stderr, "%s: FUZZ_SEED=%llu, round %llu: %s with code %d and message \"%s\"\n", name,
                    (unsigned long long)seed, (unsigned long long)round, ok ? "accepted" : "refused", (int)err.code,
                    err.message);
            return 1;
        }
        accepted += ok;
    }
    close(descriptor);
    printf("%s: %llu inputs, %llu of them accepted\n", name, (unsigned long long)round, (unsigned long long)accepted);
    /* Both must happen, or the fuzzer only scratches the surface. */
    return accepted > 0 && accepted < round ? 0 : 1;
}

#endif
