/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints of an agent: weights, optimisers, replay, environments, and the numbers of steps, updates and episodes.
 */
#include "agent/agent.h"

#include "invar/expert/file.h"
#include "invar/memory.h"
#include "invar/version.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of every environment, behind those of the run. */
enum { COUNT_STEP, COUNT_UPDATES, COUNT_AUXILIARY, COUNT_EPISODES, COUNT_RUN };
enum { COUNT_EPISODE, COUNT_LENGTH, COUNT_ACTION, COUNT_ACTOR };
enum { REAL_RETURNS = 0, REAL_LENGTHS = AGENT_RECENT, REAL_RUN = 2 * AGENT_RECENT, REAL_ACTOR = 2 };

/* ---- writing ---- */

static bool add(struct invar_safetensors *file, const char *name, enum invar_dtype dtype, int64_t count,
                const void *data, struct invar_error *err)
{
    struct invar_array array = {0};
    bool ok = count == 0 || invar_array_alloc(&array, dtype, 1, &count, err);

    if (ok && count > 0) {
        memcpy(array.data, data, (size_t)count * invar_dtype_size(dtype));
        ok = invar_safetensors_add(file, name, &array, err);
    }
    invar_array_free(&array);
    return ok;
}

static bool store_counts(const struct invar_agent *a, struct invar_safetensors *file, struct invar_error *err)
{
    const int64_t copies = a->recipe->agent.copies, count = COUNT_RUN + COUNT_ACTOR * copies,
                  reals = REAL_RUN + REAL_ACTOR * copies;
    int64_t *counts = invar_alloc((size_t)count, sizeof *counts, err);
    double *real = invar_alloc((size_t)reals, sizeof *real, err);
    bool ok = counts && real;

    if (ok) {
        const int64_t of_run[COUNT_RUN] = {a->step, a->learner.updates,
                                           a->auxiliary.trainer ? invar_trainer_steps_done(a->auxiliary.trainer) : 0,
                                           a->episodes};
        memcpy(counts, of_run, sizeof of_run);
        memcpy(real + REAL_RETURNS, a->returns, sizeof a->returns);
        memcpy(real + REAL_LENGTHS, a->lengths, sizeof a->lengths);
        for (int64_t i = 0; i < copies; i++) {
            const struct actor *actor = &a->actors[i];
            const int64_t of_actor[COUNT_ACTOR] = {actor->episode, actor->length, actor->action};
            memcpy(counts + COUNT_RUN + i * COUNT_ACTOR, of_actor, sizeof of_actor);
            real[REAL_RUN + i * REAL_ACTOR] = actor->episode_return;
            real[REAL_RUN + i * REAL_ACTOR + 1] = actor->reward;
        }
        const double losses[] = {a->learner.loss, a->learner.value, a->learner.norm};
        ok = add(file, "agent.counts", INVAR_INT64, count, counts, err) &&
             add(file, "agent.losses", INVAR_FLOAT64, 3, losses, err) &&
             add(file, "agent.returns", INVAR_FLOAT64, reals, real, err) &&
             add(file, "agent.state", INVAR_FLOAT32, copies * a->learner.network.state, a->state, err);
    }
    invar_free(counts);
    invar_free(real);
    return ok;
}

static bool store_environments(const struct invar_agent *a, struct invar_safetensors *file, struct invar_error *err)
{
    char name[40];

    for (int64_t i = 0; i < a->recipe->agent.copies; i++) {
        struct invar_bytes bytes = {0};
        if (!invar_env_info(a->actors[i].env)->saves)
            continue;
        snprintf(name, sizeof name, "environment.%lld", (long long)i);
        const bool ok = invar_env_save(a->actors[i].env, &bytes, err) &&
                        add(file, name, INVAR_UINT8, (int64_t)bytes.size, bytes.data, err);
        invar_bytes_free(&bytes);
        if (!ok)
            return false;
    }
    return true;
}

static bool store_metadata(const struct invar_agent *a, struct invar_safetensors *file, struct invar_error *err)
{
    char threads[32];

    snprintf(threads, sizeof threads, "%d", invar_device_threads(a->device));
    return invar_safetensors_set_metadata(file, "invar.version", INVAR_VERSION, err) &&
           invar_safetensors_set_metadata(file, "invar.kind", "agent", err) &&
           invar_safetensors_set_metadata(file, "invar.recipe", a->folder.recipe.data, err) &&
           invar_safetensors_set_metadata(file, "invar.environment", invar_env_info(a->actors[0].env)->version, err) &&
           invar_safetensors_set_metadata(file, "invar.threads", threads, err) &&
           (!a->folder.machines.data ||
            invar_safetensors_set_metadata(file, "invar.machine", a->folder.machines.data, err));
}

bool agent_save(struct invar_agent *a, struct invar_error *err)
{
    const struct network *n = &a->learner.network;
    const int64_t before = a->folder.saved;
    struct invar_safetensors *file = NULL;
    char name[64], path[INVAR_PATH_SIZE];
    bool ok = false;

    if (before == a->step)
        return true;
    if (a->options.before_checkpoint && !a->options.before_checkpoint(a->options.user, err))
        return false;
    checkpoint_name(name, sizeof name, a->step);
    file = invar_safetensors_create(err);
    if (!file || !folder_path(&a->folder, name, path, err) || !store_metadata(a, file, err) ||
        !store_counts(a, file, err) || !store_environments(a, file, err) || !store_net(&n->encoder, file, err) ||
        !store_net(&n->core, file, err) || (a->auxiliary.trainer && !trainer_store(a->auxiliary.trainer, file, err)) ||
        !replay_store(&a->replay, file, err) || !invar_safetensors_write(file, path, err))
        goto done;
    a->folder.saved = a->step;
    ok = folder_prune(&a->folder, a->step, before, err);
done:
    invar_safetensors_free(file);
    return ok;
}

/* The weights that act, and the name of the environment: all that play asks for. */
bool agent_finish(struct invar_agent *a, struct invar_error *err)
{
    const struct network *n = &a->learner.network;
    struct invar_safetensors *file = invar_safetensors_create(err);
    char path[INVAR_PATH_SIZE];
    const bool ok = file && folder_path(&a->folder, "agent.safetensors", path, err) && store_metadata(a, file, err) &&
                    store_weights(n->encoder.weights, "q.encoder.", file, err) &&
                    store_weights(n->core.weights, "q.core.", file, err) &&
                    (!n->second || store_weights(n->second, "encoder.", file, err)) &&
                    invar_safetensors_write(file, path, err);

    invar_safetensors_free(file);
    return ok;
}

/* ---- reading ---- */

/* Steps of the run that ended with these weights, by the recipe in the file: recipe.yaml may be that of a longer one.
 */
int64_t agent_steps_of(const struct invar_safetensors *file)
{
    const char *text = invar_safetensors_metadata(file, "invar.recipe");
    struct invar_agent_recipe *recipe = text ? agent_recipe_parse(text, "invar.recipe", NULL) : NULL;
    const int64_t steps = recipe ? agent_recipe_steps(recipe) : -1;

    invar_agent_recipe_free(recipe);
    return steps;
}

bool agent_read_weights(const struct network *n, const struct invar_safetensors *file, const char *path,
                        struct invar_error *err)
{
    return restore_weights(n->encoder.weights, "q.encoder.", file, path, err) &&
           restore_weights(n->core.weights, "q.core.", file, path, err) &&
           (!n->second || restore_weights(n->second, "encoder.", file, path, err));
}

static const void *get(const struct invar_safetensors *file, const char *name, enum invar_dtype dtype, int64_t count,
                       const char *path, struct invar_error *err)
{
    const struct invar_array *array = invar_safetensors_get(file, name);

    if (array && array->dtype == dtype && array->rank == 1 && (count < 0 || array->shape[0] == count))
        return array->data;
    invar_error_set(err, INVAR_ERROR_FORMAT, "%s: %s is missing or has another size", path, name);
    return NULL;
}

/* Those of the last update are reported until the next. Checkpoints of earlier versions have none. */
static void restore_losses(struct learner *l, const struct invar_safetensors *file)
{
    const double *losses = get(file, "agent.losses", INVAR_FLOAT64, 3, "", NULL);

    l->loss = losses ? losses[0] : NAN;
    l->value = losses ? losses[1] : NAN;
    l->norm = losses ? losses[2] : NAN;
}

static bool restore_counts(struct invar_agent *a, const struct invar_safetensors *file, const char *path, int64_t step,
                           struct invar_error *err)
{
    const int64_t copies = a->recipe->agent.copies, states = copies * a->learner.network.state;
    const int64_t *counts = get(file, "agent.counts", INVAR_INT64, COUNT_RUN + COUNT_ACTOR * copies, path, err);
    const double *real = get(file, "agent.returns", INVAR_FLOAT64, REAL_RUN + REAL_ACTOR * copies, path, err);
    const float *state = states > 0 ? get(file, "agent.state", INVAR_FLOAT32, states, path, err) : a->state;

    if (!counts || !real || !state)
        return false;
    if (counts[COUNT_STEP] != step)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is that of another step", path);
    a->step = step;
    a->learner.updates = counts[COUNT_UPDATES];
    restore_losses(&a->learner, file);
    a->episodes = counts[COUNT_EPISODES];
    if (a->auxiliary.trainer)
        a->auxiliary.trainer->clock.step = counts[COUNT_AUXILIARY];
    memcpy(a->returns, real + REAL_RETURNS, sizeof a->returns);
    memcpy(a->lengths, real + REAL_LENGTHS, sizeof a->lengths);
    memmove(a->state, state, (size_t)states * sizeof *state);
    for (int64_t i = 0; i < copies; i++) {
        const int64_t *of_actor = counts + COUNT_RUN + i * COUNT_ACTOR;
        a->actors[i].episode = of_actor[COUNT_EPISODE];
        a->actors[i].length = of_actor[COUNT_LENGTH];
        a->actors[i].action = (int32_t)of_actor[COUNT_ACTION];
        a->actors[i].episode_return = real[REAL_RUN + i * REAL_ACTOR];
        a->actors[i].reward = real[REAL_RUN + i * REAL_ACTOR + 1];
    }
    return true;
}

/* What cannot be saved begins its next episode: the one that was going on is cut where it was. */
static bool restore_environments(struct invar_agent *a, const struct invar_safetensors *file, const char *path,
                                 struct invar_error *err)
{
    char name[40];

    for (int i = 0; i < (int)a->recipe->agent.copies; i++) {
        struct actor *actor = &a->actors[i];
        snprintf(name, sizeof name, "environment.%d", i);
        const struct invar_array *array = invar_safetensors_get(file, name);
        if (invar_env_info(actor->env)->saves) {
            if (!get(file, name, INVAR_UINT8, -1, path, err) ||
                !invar_env_restore(actor->env, array->data, (size_t)array->shape[0], &actor->now, err))
                return false;
            continue;
        }
        if (i == 0)
            invar_log(INVAR_LOG_WARNING,
                      "%s cannot be saved, so new episodes begin: the result will differ from an uninterrupted run",
                      a->recipe->env_id);
        const struct replay_lane *l = &a->replay.lanes[i];
        if (l->end > l->first)
            replay_entry(&a->replay, i, l->end - 1)->end = REPLAY_TRUNCATED;
        actor->episode++;
        if (!actor_begin(a, i, err))
            return false;
    }
    return true;
}

static bool restore(struct invar_agent *a, const struct invar_safetensors *file, const char *path, int64_t step,
                    struct invar_error *err)
{
    const struct network *n = &a->learner.network;

    return restore_counts(a, file, path, step, err) && restore_net(&n->encoder, file, path, err) &&
           restore_net(&n->core, file, path, err) &&
           (!a->auxiliary.trainer || trainer_restore(a->auxiliary.trainer, file, path, err)) &&
           replay_restore(&a->replay, file, path, err) && restore_environments(a, file, path, err) &&
           machines_restore(&a->folder, file, err);
}

/* Another environment would make another game of it; another length is allowed. */
static bool admit(const struct invar_agent *a, const struct invar_safetensors *file, const char *path, int64_t step,
                  struct invar_error *err)
{
    const char *version = invar_safetensors_metadata(file, "invar.environment"),
               *now = invar_env_info(a->actors[0].env)->version,
               *recipe = invar_safetensors_metadata(file, "invar.recipe");
    bool length, place;

    if (!recipe || !folder_compare(&a->folder, recipe, &length, &place, NULL))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: was written under other settings than recipe.yaml beside it has: put recipe.yaml "
                               "back as it was, or give another run",
                               path);
    if (!version || strcmp(version, now) != 0)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: went on in the environment \"%s\", and here it is \"%s\": install that version, or "
                               "give another run",
                               a->folder.path, version ? version : "?", now);
    return step <= agent_recipe_steps(a->recipe) ||
           invar_error_set(err, INVAR_ERROR_USAGE,
                           "%s: has done %lld steps, more than the %lld that are asked for: raise training.steps, or "
                           "give another run",
                           a->folder.path, (long long)step, (long long)a->recipe->training.steps);
}

/* What a damaged checkpoint left is no beginning for an older one. */
static bool forget(struct invar_agent *a, struct invar_error *err)
{
    replay_free(&a->replay);
    a->step = a->episodes = a->learner.updates = 0;
    return replay_create(&a->replay, &a->replay_options, err);
}

bool agent_resume(struct invar_agent *a, bool *found, struct invar_error *err)
{
    char name[64], path[INVAR_PATH_SIZE];
    int64_t step = INT64_MAX;

    for (*found = false; !*found;) {
        struct invar_safetensors *file = NULL;
        struct invar_error damage = {0};
        if (!folder_newest(a->folder.path, step, &step, err))
            return false;
        if (step < 0)
            break;
        checkpoint_name(name, sizeof name, step);
        if (!folder_path(&a->folder, name, path, err))
            return false;
        const bool whole = invar_safetensors_read(&file, path, &damage);
        const bool admitted = !whole || admit(a, file, path, step, err);
        *found = whole && admitted && restore(a, file, path, step, &damage);
        if (*found)
            machines_warn(&a->folder, file);
        invar_safetensors_free(file);
        if (!admitted)
            return false;
        if (*found)
            a->folder.saved = step;
        else if (damage.code != INVAR_ERROR_FORMAT)
            return invar_error_set(err, damage.code, "%s", damage.message);
        else
            invar_log(INVAR_LOG_WARNING, "%s; the checkpoint before it is used", damage.message);
        if (!*found && !forget(a, err))
            return false;
    }
    return true;
}
