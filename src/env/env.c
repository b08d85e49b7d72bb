/* SPDX-License-Identifier: Apache-2.0 */
/* What all environments have in common: ids, options, stacks of frames, saved states. */
#include "env/env.h"
#include "base/names.h"

#include <math.h>

#define LISTED(name, argument, help) {#name, argument, help, env_##name##_options},
static const struct invar_env_kind kinds[] = {ENVIRONMENTS(LISTED){0}};
#define CLASS(name, argument, help) &env_##name,
static const struct env_class *const classes[] = {ENVIRONMENTS(CLASS)};

struct invar_env {
    const struct env_class *class;
    struct env_core *core;
    char *id;
    struct invar_text settings, identity; /* identity: what a saved state must agree with */
    uint8_t *observation;                 /* [info.size] */
    bool running;                         /* a step is possible */
};

const struct invar_env_kind *invar_env_kinds(void)
{
    return kinds;
}

const struct invar_env_info *invar_env_info(const struct invar_env *env)
{
    return &env->core->info;
}

/* The kind of an id, and what stands behind the colon. */
static const struct invar_env_kind *find(const char *id, const char **argument, struct invar_error *err)
{
    const char *colon = strchr(id, ':');
    char name[64];

    snprintf(name, sizeof name, "%.*s", colon ? (int)(colon - id) : (int)strlen(id), id);
    *argument = colon ? colon + 1 : "";
    const struct invar_env_kind *kind = names_find(NAMES_ROWS("environment", kinds), "env.id", name, err);
    if (!kind || !kind->argument[0] == !**argument)
        return kind;
    if (kind->argument[0])
        invar_error_set(err, INVAR_ERROR_USAGE, "env.id: \"%s\" lacks what it opens: write %s:%s", id, name,
                        kind->argument);
    else
        invar_error_set(err, INVAR_ERROR_USAGE, "env.id: \"%.100s\" has something behind its name: write %s", id, name);
    return NULL;
}

/* The settings, and what a saved state must agree with: those that decide what happens. */
static bool describe(struct invar_env *env, void *options, struct invar_error *err)
{
    const struct env_class *class = env->class;

    if (!invar_options_write(class->options, options, 0, &env->settings, err))
        return false;
    for (const char *const *name = class->indifferent; name && *name; name++) {
        char reset[128];
        snprintf(reset, sizeof reset, "%s=null", *name);
        if (!invar_options_set(class->options, options, reset, err))
            return false;
    }
    return invar_text_printf(&env->identity, err, "%s\n%s\n", env->id, env->core->info.version) &&
           invar_options_write(class->options, options, 0, &env->identity, err);
}

/* The core's environment, once its options are known. */
static bool open_core(struct invar_env *env, const char *argument, void *options, struct invar_error *err)
{
    struct invar_env_info *info;

    env->core = invar_alloc(1, env->class->size, err);
    if (!env->core)
        return false;
    info = &env->core->info;
    info->least = info->most = NAN;
    info->stack = info->skip = 1;
    if (!env->class->create(env->core, argument, options, err) || !describe(env, options, err))
        return false;
    info->id = env->id;
    info->settings = env->settings.data ? env->settings.data : "";
    info->size = info->stack * info->frame_size;
    env->observation = invar_alloc((size_t)info->stack, (size_t)info->frame_size, err);
    if (!env->observation)
        return false;
    env->core->frame = env->observation + (info->size - info->frame_size);
    return true;
}

struct invar_env *invar_env_create(const char *id, const struct invar_node *settings, struct invar_error *err)
{
    static const char *const ignored[] = {"id", NULL};
    const char *argument;
    const struct invar_env_kind *kind = find(id, &argument, err);
    struct invar_env *env = kind ? invar_alloc(1, sizeof *env, err) : NULL;
    void *options = NULL;

    if (!env)
        return NULL;
    env->class = classes[kind - kinds];
    env->id = invar_strdup(id, err);
    options = invar_alloc(1, env->class->options_size, err);
    bool ok = env->id && options;
    if (ok) {
        invar_options_default(kind->options, options);
        ok = invar_options_read(kind->options, options, settings, "env", ignored, err) &&
             open_core(env, argument, options, err);
    }
    invar_free(options);
    if (ok)
        return env;
    invar_env_free(env);
    return NULL;
}

void invar_env_free(struct invar_env *env)
{
    if (!env)
        return;
    if (env->core && env->class->destroy)
        env->class->destroy(env->core);
    invar_free(env->core);
    invar_free(env->observation);
    invar_text_free(&env->settings);
    invar_text_free(&env->identity);
    invar_free(env->id);
    invar_free(env);
}

/* ---- episodes ---- */

static void give(struct invar_env *env, struct invar_env_step *out)
{
    struct invar_env_step *step = &env->core->step;

    step->observation = env->observation;
    step->frame = env->core->frame;
    env->running = !step->terminated && !step->truncated;
    if (out)
        *out = *step;
}

bool invar_env_reset(struct invar_env *env, uint64_t seed, uint32_t copy, uint64_t episode, struct invar_env_step *out,
                     struct invar_error *err)
{
    const struct invar_env_info *info = &env->core->info;

    env->running = false;
    env->core->step = (struct invar_env_step){.lives = info->lives};
    if (!env->class->reset(env->core, seed, copy, episode, err))
        return false;
    for (int i = 0; i + 1 < info->stack; i++)
        memcpy(env->observation + i * info->frame_size, env->core->frame, (size_t)info->frame_size);
    give(env, out);
    return true;
}

bool invar_env_step(struct invar_env *env, int action, struct invar_env_step *out, struct invar_error *err)
{
    const struct invar_env_info *info = &env->core->info;

    if (!env->running)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s: no episode is under way: reset the environment first",
                               env->id);
    if (action < 0 || action >= info->actions)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s: there is no action %d; expected 0 to %d", env->id, action,
                               info->actions - 1);
    env->running = false;
    memmove(env->observation, env->observation + info->frame_size, (size_t)(info->size - info->frame_size));
    env->core->step = (struct invar_env_step){.lives = env->core->step.lives, .frames = 1};
    if (!env->class->step(env->core, action, err))
        return false;
    if (!isfinite(env->core->step.reward))
        return invar_error_set(err, INVAR_ERROR_NUMERIC,
                               "%s: gave a reward that is not finite (%g); an agent cannot learn from it", env->id,
                               env->core->step.reward);
    give(env, out);
    return true;
}

bool invar_env_picture(struct invar_env *env, uint8_t *rgb, struct invar_error *err)
{
    if (!env->class->picture || !env->core->info.height)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s: has no picture: its observations are numbers", env->id);
    return env->class->picture(env->core, rgb, err);
}

/* ---- saved states: header, identity, observation, what the core has ---- */

struct saved {
    char magic[8];
    uint32_t checksum; /* of all behind it */
    uint32_t running;
    uint64_t identity, observation, core; /* bytes */
    double reward;
    int32_t terminated, truncated, lives, frames;
};
#define MAGIC "invarenv"

bool invar_env_save(struct invar_env *env, struct invar_bytes *out, struct invar_error *err)
{
    const struct invar_env_info *info = &env->core->info;
    const struct invar_env_step *step = &env->core->step;
    struct invar_bytes core = {0};

    *out = (struct invar_bytes){0};
    if (!info->saves)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s: cannot be saved: an episode of it is played to its end",
                               env->id);
    if (!step->observation)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s: no episode was begun that could be saved", env->id);
    if (!env->class->save(env->core, &core, err))
        return false;
    struct saved head = {.magic = MAGIC,
                         .running = env->running,
                         .identity = env->identity.size,
                         .observation = (uint64_t)info->size,
                         .core = core.size,
                         .reward = step->reward,
                         .terminated = step->terminated,
                         .truncated = step->truncated,
                         .lives = step->lives,
                         .frames = step->frames};
    const size_t size = sizeof head + env->identity.size + (size_t)info->size + core.size;
    out->data = invar_alloc(size + 1, 1, err);
    if (out->data) {
        unsigned char *at = out->data + sizeof head;
        memcpy(at, env->identity.data, env->identity.size);
        memcpy(at += env->identity.size, env->observation, (size_t)info->size);
        if (core.size)
            memcpy(at + info->size, core.data, core.size);
        memcpy(out->data, &head, sizeof head);
        head.checksum =
            invar_crc32(0, out->data + offsetof(struct saved, running), size - offsetof(struct saved, running));
        memcpy(out->data, &head, sizeof head);
        out->size = size;
    }
    invar_bytes_free(&core);
    return out->data != NULL;
}

/* Whether the bytes are whole, and of this environment. */
static bool check(const struct invar_env *env, const unsigned char *data, size_t size, struct saved *head,
                  struct invar_error *err)
{
    const size_t behind = offsetof(struct saved, running);

    if (size >= sizeof *head)
        memcpy(head, data, sizeof *head);
    if (size < sizeof *head || memcmp(head->magic, MAGIC, sizeof head->magic) != 0 || head->identity > size ||
        head->observation > size || head->core > size ||
        sizeof *head + head->identity + head->observation + head->core != size ||
        head->checksum != invar_crc32(0, data + behind, size - behind))
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: what is to be restored is no saved state, or a torn one",
                               env->id);
    if (head->identity != env->identity.size || memcmp(data + sizeof *head, env->identity.data, head->identity) != 0)
        return invar_error_set(
            err, INVAR_ERROR_FORMAT,
            "%s: the saved state is of another environment, version or setting: it has \"%.*s\", and this one is "
            "\"%.300s\"; open it as it was, or begin anew",
            env->id, head->identity > 300 ? 300 : (int)head->identity, (const char *)data + sizeof *head,
            env->identity.data);
    return head->observation == (uint64_t)env->core->info.size ||
           invar_error_set(err, INVAR_ERROR_FORMAT, "%s: the saved state has observations of another size", env->id);
}

bool invar_env_restore(struct invar_env *env, const void *data, size_t size, struct invar_env_step *out,
                       struct invar_error *err)
{
    const unsigned char *bytes = data;
    struct saved head = {0};

    if (!check(env, bytes, size, &head, err))
        return false;
    const unsigned char *observation = bytes + sizeof head + head.identity;
    if (!env->class->restore(env->core, observation + head.observation, head.core, err))
        return false;
    memcpy(env->observation, observation, head.observation);
    env->core->step = (struct invar_env_step){.reward = head.reward,
                                              .terminated = head.terminated,
                                              .truncated = head.truncated,
                                              .lives = head.lives,
                                              .frames = head.frames};
    give(env, out);
    return true;
}

bool env_save_struct(const void *state, size_t size, struct invar_bytes *out, struct invar_error *err)
{
    out->data = invar_alloc(size + 1, 1, err);
    if (!out->data)
        return false;
    memcpy(out->data, state, size);
    out->size = size;
    return true;
}

bool env_restore_struct(void *state, size_t size, const void *data, size_t saved, struct invar_error *err)
{
    if (saved != size)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "the saved state has %zu bytes, expected %zu", saved, size);
    memcpy(state, data, size);
    return true;
}
