/* SPDX-License-Identifier: Apache-2.0 */
/* The auxiliary objective: views, chain of nets, terms and optimiser are those of every training. */
#include "agent/auxiliary.h"

#include "agent/seen.h"
#include "invar/memory.h"

static bool next(void *user, int64_t step, struct invar_sample *samples, int64_t count, struct invar_error *err)
{
    struct auxiliary *a = user;
    const struct invar_dataset_info *info = &a->feed.info;
    const int64_t size = (int64_t)info->height * info->width * info->channels;

    for (int64_t i = 0; i < count; i++) {
        unsigned char *pixels = a->pixels + i * size;
        const int64_t number = step * count + i;
        if (!replay_observe(a->replay, a->seed, (uint64_t)number, a->planes, err))
            return false;
        seen_sample(info, a->planes, pixels, number, &samples[i]);
    }
    return true;
}

bool auxiliary_create(struct auxiliary *a, const struct invar_agent_recipe *r, const struct invar_env_info *env,
                      struct replay *replay, struct invar_device *device, const struct invar_weights *shared,
                      int64_t total, struct invar_error *err)
{
    const struct invar_trainer_options options = {0};
    struct invar_recipe *o = r->objective;

    if (!o)
        return true;
    o->training.steps = total > 0 ? total : 1;
    o->training.seed = r->training.seed;
    if (!seen_describe(env, "the auxiliary objective", "auxiliary.encoder=none", o->training.batch, &a->feed.info, err))
        return false;
    a->replay = replay;
    a->seed = (uint64_t)r->training.seed;
    a->feed.next = next;
    a->feed.user = a;
    a->feed.encoder = r->auxiliary.encoder == AGENT_AUXILIARY_SHARED ? shared : NULL;
    a->planes = invar_alloc((size_t)env->size, 1, err);
    a->pixels = invar_alloc((size_t)o->training.batch, (size_t)env->size, err);
    a->trainer = a->planes && a->pixels ? trainer_create_fed(o, &a->feed, device, &options, err) : NULL;
    return a->trainer != NULL;
}

void auxiliary_free(struct auxiliary *a)
{
    invar_trainer_free(a->trainer);
    invar_free(a->planes);
    invar_free(a->pixels);
}

struct invar_weights *auxiliary_encoder(const struct auxiliary *a, const struct invar_agent_recipe *r)
{
    return a->trainer && r->auxiliary.encoder == AGENT_AUXILIARY_SECOND
               ? trainer_net(a->trainer, INVAR_NET_ENCODER)->weights
               : NULL;
}

bool auxiliary_update(struct auxiliary *a, struct invar_error *err)
{
    struct invar_record record;

    if (!invar_trainer_step(a->trainer, &record, err))
        return false;
    if (record.count > 0)
        a->record = record;
    return true;
}
