/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many samples a second a source gives: its training split in a drawn order, in batches, and nothing done with
 * them. usage: bench_loader SECONDS BATCH SOURCE [KEY=VALUE ..] of the recipe's section data; prints samples a second
 */
#include "invar/data.h"
#include "invar/expert/random.h"
#include "invar/memory.h"
#include "invar/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The first batches come from what was decoded while nobody waited. */
static bool measure(struct invar_loader *loader, struct invar_sample *samples, double seconds, struct invar_error *err)
{
    int64_t count = 0, got = 1;
    double begin = now();
    for (int warm = 0; warm < 8 && got > 0; warm++) {
        if (!invar_loader_next(loader, samples, &got, err))
            return false;
        begin = now();
    }
    while (got > 0 && now() - begin < seconds) {
        if (!invar_loader_next(loader, samples, &got, err))
            return false;
        count += got;
    }
    printf("%.0f\n", (double)count / (now() - begin));
    return true;
}

int main(int argc, char **argv)
{
    struct invar_error err = {0};
    struct invar_data_options options;
    bool ok = argc > 3;
    if (!ok) {
        fprintf(stderr, "usage: bench_loader SECONDS BATCH SOURCE [KEY=VALUE ..]\n");
        return 2;
    }
    invar_options_default(invar_data_option_table, &options);
    ok = invar_data_options_source(&options, argv[3], &err);
    for (int i = 4; ok && i < argc; i++)
        ok = invar_options_set(invar_data_option_table, &options, argv[i], &err);
    const int64_t batch = strtoll(argv[2], NULL, 10);
    struct invar_dataset *dataset = ok ? invar_dataset_open(&options, &err) : NULL;
    const int64_t count = dataset ? invar_dataset_info(dataset)->count[INVAR_TRAIN] : 0;
    struct invar_loader *loader = dataset ? invar_loader_create(dataset, INVAR_TRAIN, batch, &err) : NULL;
    struct invar_sample *samples = loader ? invar_alloc((size_t)batch, sizeof *samples, &err) : NULL;
    int64_t *order = samples ? invar_alloc((size_t)count, sizeof *order, &err) : NULL;
    if (order) {
        struct invar_random random = invar_random_stream(0, INVAR_RANDOM_ORDER, 0, 0, 0);
        for (int64_t i = 0; i < count; i++)
            order[i] = i;
        invar_random_shuffle(&random, order, count);
    }
    ok = order && invar_loader_start(loader, order, count, &err) &&
         measure(loader, samples, strtod(argv[1], NULL), &err);
    if (!ok)
        fprintf(stderr, "bench_loader: %s\n", err.message);
    invar_free(order);
    invar_free(samples);
    invar_loader_free(loader);
    invar_dataset_close(dataset);
    return ok ? 0 : 1;
}
