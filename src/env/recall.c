/* SPDX-License-Identifier: Apache-2.0 */
/* recall: a cue is shown once, then nothing for a while, then a signal; the action at the signal gives 1 if it is the
 * number of the cue, else 0. What is seen at the signal says nothing of the cue, so only who remembers does better than
 * one in `cues`. */
#include "env/env.h"

struct recall_options {
    int64_t cues, delay, distractors;
};

#define FIELD(name) INVAR_OPTION_INT, offsetof(struct recall_options, name)
const struct invar_option env_recall_options[] = {
    {"cues", FIELD(cues), "2", 2, 16, NULL, "number of cues, and of actions"},
    {"delay", FIELD(delay), "8", 0, 1000, NULL, "steps between cue and signal, in which nothing is seen"},
    {"distractors", FIELD(distractors), "0", 0, 64, NULL, "numbers that are drawn anew every step and mean nothing"},
    {0}};

/* All that a saved state is. */
struct moment {
    int32_t cue, step;
    struct invar_random distractors;
};

struct recall {
    struct env_core core; /* first */
    struct recall_options options;
    struct moment at;
    char name[16][16];
    const char *names[16];
};

static bool create(struct env_core *core, const char *argument, const void *opaque, struct invar_error *err)
{
    struct recall *game = (struct recall *)core;
    struct invar_env_info *info = &core->info;

    (void)argument, (void)err;
    game->options = *(const struct recall_options *)opaque;
    for (int i = 0; i < 16; i++) {
        snprintf(game->name[i], sizeof game->name[i], "cue %d", i);
        game->names[i] = game->name[i];
    }
    info->version = "recall 1";
    info->dtype = INVAR_FLOAT32;
    info->rank = 1;
    info->shape[0] = game->options.cues + 1 + game->options.distractors;
    info->frame_size = info->shape[0] * (int64_t)sizeof(float);
    info->actions = (int)game->options.cues;
    info->names = game->names;
    info->limit = game->options.delay + 2;
    info->saves = true;
    info->least = 0;
    info->most = 1;
    return true;
}

/* The frame: cues, one of them 1 at the beginning; the signal, 1 at the end; distractors. */
static bool show(struct recall *game)
{
    const struct moment *at = &game->at;
    const int64_t cues = game->options.cues;
    float *out = (float *)(void *)game->core.frame;

    memset(out, 0, (size_t)game->core.info.frame_size);
    if (at->step == 0)
        out[at->cue] = 1;
    out[cues] = at->step == game->options.delay + 1;
    for (int64_t i = 0; i < game->options.distractors; i++)
        out[cues + 1 + i] = invar_random_uniform(&game->at.distractors);
    return true;
}

static bool reset(struct env_core *core, uint64_t seed, uint32_t copy, uint64_t episode, struct invar_error *err)
{
    struct recall *game = (struct recall *)core;
    struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_ENVIRONMENT, copy, episode, 0);

    (void)err;
    game->at.step = 0;
    game->at.cue = (int32_t)invar_random_below(&random, (uint32_t)game->options.cues);
    game->at.distractors = invar_random_stream(seed, INVAR_RANDOM_ENVIRONMENT, copy, episode, 1);
    return show(game);
}

static bool step(struct env_core *core, int action, struct invar_error *err)
{
    struct recall *game = (struct recall *)core;

    (void)err;
    if (game->at.step == game->options.delay + 1) {
        core->step.terminated = true;
        core->step.reward = action == game->at.cue;
    }
    game->at.step++;
    return show(game);
}

static bool save(struct env_core *core, struct invar_bytes *out, struct invar_error *err)
{
    return env_save_struct(&((struct recall *)core)->at, sizeof(struct moment), out, err);
}

static bool restore(struct env_core *core, const void *data, size_t size, struct invar_error *err)
{
    struct recall *game = (struct recall *)core;
    struct moment at;

    if (!env_restore_struct(&at, sizeof at, data, size, err))
        return false;
    if (at.cue < 0 || at.cue >= game->options.cues || at.step < 0 || at.step > game->options.delay + 2)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "recall: the saved state has a cue that there is not");
    game->at = at;
    return true;
}

const struct env_class env_recall = {.options = env_recall_options,
                                     .options_size = sizeof(struct recall_options),
                                     .size = sizeof(struct recall),
                                     .create = create,
                                     .reset = reset,
                                     .step = step,
                                     .save = save,
                                     .restore = restore};
