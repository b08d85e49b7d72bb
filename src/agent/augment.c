/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/augment.h"

#include "invar/memory.h"

static size_t image_bytes(const struct augment *a)
{
    return (size_t)a->info.height * (size_t)a->info.width * (size_t)a->info.channels;
}

bool augment_create(struct augment *a, const struct invar_agent_recipe *r, const struct invar_env_info *env,
                    const struct replay_batch *batch, bool planning, struct invar_error *err)
{
    const size_t all = (size_t)(batch->steps * batch->rows);

    *a = (struct augment){.rows = batch->rows,
                          .views = r->augmentation.learned + r->augmentation.valued,
                          .seed = (uint64_t)r->training.seed};
    if (r->augmentation.learned == 0)
        return true;
    if (!seen_describe(env, "augmentation", "augmentation.learned=0", batch->rows, &a->info, err) ||
        !invar_view_options_check(&r->network.views, &a->info, err))
        return false;
    if (planning)
        return true;
    a->pixels = invar_alloc(all, image_bytes(a), err);
    a->samples = invar_alloc(all, sizeof *a->samples, err);
    a->maker = a->pixels && a->samples ? invar_view_maker_create(&r->network.views, &a->info, err) : NULL;
    return a->maker != NULL;
}

void augment_free(struct augment *a)
{
    invar_view_maker_free(a->maker);
    invar_free(a->pixels);
    invar_free(a->samples);
}

void augment_take(struct augment *a, const struct replay_batch *batch)
{
    const size_t size = image_bytes(a);

    for (int64_t i = 0; a->maker && i < batch->steps * batch->rows; i++)
        seen_sample(&a->info, batch->observation + (size_t)i * size, a->pixels + (size_t)i * size, i % a->rows,
                    &a->samples[i]);
}

/* Number 0 in place of 1 + .. are the draws of the auxiliary objective. */
bool augment_view(struct augment *a, int64_t update, int64_t view, int64_t first, int64_t end, float *out,
                  struct invar_error *err)
{
    return invar_view_maker_batch(a->maker, a->samples + first * a->rows, (end - first) * a->rows, a->seed,
                                  (uint64_t)(1 + update * a->views + view), out, err);
}
