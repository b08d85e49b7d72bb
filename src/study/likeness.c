/* SPDX-License-Identifier: Apache-2.0 */
/* How alike the representations of runs are: one after the other opened, the same samples embedded, then compared. */
#include "study/likeness.h"

#include "invar/measure.h"
#include "invar/memory.h"

#include <stdio.h>
#include <string.h>

/* What is kept of a run: h of the samples, and of which data they are. */
struct seen {
    struct invar_embedded h;
    char identity[512];
};

static bool embed(const struct invar_run *run, int64_t wanted, struct seen *out, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    const enum invar_split split = info->count[INVAR_TEST] > 0 ? INVAR_TEST : INVAR_TRAIN;
    const int64_t total = info->count[split], count = total < wanted ? total : wanted;
    int64_t *order = invar_alloc((size_t)count + 1, sizeof *order, err);

    for (int64_t i = 0; order && i < count; i++)
        order[i] = i * total / count;
    snprintf(out->identity, sizeof out->identity, "%s", info->identity ? info->identity : "");
    const bool ok =
        order && invar_embed_head(run->device, run->encoder, NULL, run->dataset, split, order, count, &out->h, err);
    invar_free(order);
    return ok;
}

/* The same samples in the same order, or nothing is said of likeness. */
static bool check(const struct seen *a, const struct seen *b, const char *const name[2], struct invar_error *err)
{
    char difference[256] = "samples that can be read";
    const int64_t rows = a->h.index.shape[0];
    const bool same = invar_data_identity_same(a->identity, b->identity, difference, sizeof difference);

    return (same && rows == b->h.index.shape[0] &&
            memcmp(a->h.index.data, b->h.index.data, (size_t)rows * sizeof(int64_t)) == 0) ||
           invar_error_set(err, INVAR_ERROR_DATA,
                           "%s and %s are of data that differ in %s: CKA compares representations of the same samples; "
                           "give runs of the same data",
                           name[0], name[1], difference);
}

static bool upload(struct invar_device *device, struct invar_scratch *scratch, const struct seen *from,
                   struct invar_matrix *to, struct invar_error *err)
{
    const struct invar_array *h = &from->h.features;
    const size_t count = (size_t)(h->shape[0] * h->shape[1]);

    *to = (struct invar_matrix){INVAR_FLOAT32, h->shape[0], h->shape[1], NULL};
    to->data = invar_device_take(scratch, count + 1, sizeof(float), err);
    if (to->data)
        invar_device_upload(device, to->data, h->data, count * sizeof(float));
    return to->data != NULL;
}

static bool compare(struct invar_device *device, const struct seen *seen, int count, double *out,
                    struct invar_error *err)
{
    struct invar_scratch *scratch = invar_device_scratch_create(device, err);
    bool ok = scratch != NULL;

    for (int a = 0; ok && a < count; a++)
        for (int b = 0; ok && b <= a; b++) {
            struct invar_matrix x, y;
            struct invar_cka cka = {0};
            invar_scratch_reset(scratch);
            ok = upload(device, scratch, &seen[a], &x, err) && upload(device, scratch, &seen[b], &y, err) &&
                 invar_measure_cka(device, scratch, &x, &y, true, &cka, err);
            out[a * count + b] = out[b * count + a] = a == b ? 1 : cka.cka;
        }
    invar_scratch_free(scratch);
    return ok;
}

bool study_likeness(const char *const *folders, int count, int64_t wanted, const struct invar_run_options *how,
                    double *out, int64_t *samples, struct invar_error *err)
{
    struct seen *seen = invar_alloc((size_t)count, sizeof *seen, err);
    struct invar_run run = {0};
    bool ok = seen != NULL;

    for (int i = 0; ok && i < count; i++) {
        const char *const names[] = {folders[0], folders[i]};
        invar_run_close(&run); /* the last stays open: its device compares */
        run = (struct invar_run){0};
        ok = invar_run_open(&run, folders[i], how, err) && embed(&run, wanted, &seen[i], err) &&
             check(&seen[0], &seen[i], names, err);
    }
    ok = ok && compare(run.device, seen, count, out, err);
    if (ok)
        *samples = seen[0].h.index.shape[0];
    invar_run_close(&run);
    for (int i = 0; seen && i < count; i++)
        invar_embedded_free(&seen[i].h);
    invar_free(seen);
    return ok;
}
