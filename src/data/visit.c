/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding many items at once, with the same outcome whatever the number of threads. */
#include "data/dataset.h"

#include "invar/memory.h"
#include <omp.h>

#define RUN 64 /* neighbouring items that one thread takes at a time */

struct visiting {
    struct invar_dataset *dataset;
    const int64_t *items;
    int64_t count;
    data_visit *visit;
    void *user;
    bool *bad; /* [count] */
    bool failed;
    struct invar_error err; /* of the thread that failed first */
};

static bool visit_one(struct visiting *v, int64_t k, struct data_decoder *decoder, struct data_image *image,
                      struct invar_error *err)
{
    bool good = data_dataset_decode(v->dataset, v->items[k], decoder, image, err);
    if (!good && data_ends(err))
        return false;
    v->bad[k] = !good;
    invar_error_clear(err);
    return v->visit(v->user, omp_get_thread_num(), v->items[k], good ? image : NULL, err);
}

static void work(struct visiting *v)
{
    struct data_decoder decoder = {0};
    struct data_image image = {0};
    struct invar_error err = {0};
    bool stop = false;

#pragma omp for schedule(dynamic, 1)
    for (int64_t run = 0; run < (v->count + RUN - 1) / RUN; run++) {
        for (int64_t k = run * RUN; !stop && k < v->count && k < (run + 1) * RUN; k++) {
#pragma omp atomic read
            stop = v->failed;
            if (stop || visit_one(v, k, &decoder, &image, &err))
                continue;
            stop = true;
#pragma omp critical(data_visit)
            {
                if (!v->failed)
                    v->err = err;
#pragma omp atomic write
                v->failed = true;
            }
        }
    }
    data_decoder_free(&decoder);
    data_image_free(&image);
}

/* Threads found them in any order; decoding once more for the message keeps count, names and failures in one order. */
static bool note_bad(struct visiting *v, struct invar_error *err)
{
    struct data_decoder decoder = {0};
    struct data_image image = {0};
    bool ok = true;
    for (int64_t k = 0; ok && k < v->count; k++) {
        struct invar_error why = {0};
        if (!v->bad[k])
            continue;
        data_dataset_decode(v->dataset, v->items[k], &decoder, &image, &why);
        if (data_ends(&why))
            ok = invar_error_set(err, why.code, "%s", why.message);
        else
            ok = data_dataset_note_bad(v->dataset, v->items[k],
                                       why.code ? why.message : "a file changed while it was read", err);
    }
    data_decoder_free(&decoder);
    data_image_free(&image);
    return ok && data_dataset_check_bad(v->dataset, err);
}

bool data_dataset_visit(struct invar_dataset *dataset, const int64_t *items, int64_t count, data_visit *visit,
                        void *user, struct invar_error *err)
{
    struct visiting v = {.dataset = dataset, .items = items, .count = count, .visit = visit, .user = user};
    bool ok = false;

    v.bad = invar_alloc((size_t)count, sizeof *v.bad, err);
    if (!v.bad)
        return false;
#pragma omp parallel num_threads(dataset->workers)
    work(&v);
    if (v.failed)
        invar_error_set(err, v.err.code, "%s", v.err.message);
    else
        ok = note_bad(&v, err);
    invar_free(v.bad);
    return ok;
}
