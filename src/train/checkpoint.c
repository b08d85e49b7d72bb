/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints: everything that a run needs to go on with the same bits. Nothing in a checkpoint depends on time; the
 * safetensors writer adds a checksum and renames the file into place. The last two are kept.
 */
#include "train/store.h"
#include "train/trainer.h"

#include "invar/expert/file.h"
#include "invar/expert/safetensors.h"
#include "invar/version.h"

#include <stdlib.h>
#include <string.h>

/* What term i keeps, "term.NAME", as a vector of its evaluator; count 0 where it keeps nothing. By name and not by
 * number, since the order of terms in a recipe is a matter of taste. A recipe cannot have a term twice. */
static float *state_of(const struct invar_trainer *t, int i, int64_t *count, char *name, size_t size)
{
    snprintf(name, size, "term.%s", invar_objective_term(t->given.recipe->objective, i)->name);
    return invar_evaluator_state(t->evaluator, i, count);
}

static bool store_states(const struct invar_trainer *t, struct invar_safetensors *file, struct invar_error *err)
{
    bool ok = true;

    for (int i = 0; ok && i < invar_objective_count(t->given.recipe->objective); i++) {
        struct invar_array array = {0};
        int64_t count;
        char name[128];
        const float *state = state_of(t, i, &count, name, sizeof name);
        if (count == 0)
            continue;
        ok = invar_array_alloc(&array, INVAR_FLOAT32, 1, &count, err);
        if (ok) {
            invar_device_download(t->given.device, array.data, state, (size_t)count * sizeof *state);
            ok = invar_safetensors_add(file, name, &array, err);
        }
        invar_array_free(&array);
    }
    return ok;
}

static bool restore_states(const struct invar_trainer *t, const struct invar_safetensors *file, const char *path,
                           struct invar_error *err)
{
    for (int i = 0; i < invar_objective_count(t->given.recipe->objective); i++) {
        int64_t count;
        char name[128];
        float *state = state_of(t, i, &count, name, sizeof name);
        const struct invar_array *array = count ? invar_safetensors_get(file, name) : NULL;
        if (count == 0)
            continue;
        if (!array || array->dtype != INVAR_FLOAT32 || array->rank != 1 || array->shape[0] != count)
            return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: %s is missing or has another size", path, name);
        invar_device_upload(t->given.device, state, array->data, (size_t)count * sizeof *state);
    }
    return true;
}

bool trainer_store(const struct invar_trainer *t, struct invar_safetensors *file, struct invar_error *err)
{
    for (int i = 0; i < INVAR_NET_ALL; i++)
        if (!store_net(trainer_net(t, i), file, err))
            return false;
    return store_states(t, file, err);
}

bool trainer_restore(struct invar_trainer *t, const struct invar_safetensors *file, const char *path,
                     struct invar_error *err)
{
    for (int i = 0; i < INVAR_NET_ALL; i++)
        if (!restore_net(trainer_net(t, i), file, path, err))
            return false;
    return restore_states(t, file, path, err);
}

/* ---- writing ---- */

static bool store_number(struct invar_safetensors *file, const char *key, int64_t value, struct invar_error *err)
{
    char text[32];

    snprintf(text, sizeof text, "%lld", (long long)value);
    return invar_safetensors_set_metadata(file, key, text, err);
}

/* No time and no name of a host: two runs of one recipe on one machine have the same checkpoints byte by byte, which
 * is how the tests compare them. */
static bool store_metadata(const struct invar_trainer *t, struct invar_safetensors *file, struct invar_error *err)
{
    return invar_safetensors_set_metadata(file, "invar.version", INVAR_VERSION, err) &&
           invar_safetensors_set_metadata(file, "invar.recipe", t->folder.recipe.data, err) &&
           invar_safetensors_set_metadata(file, "invar.device", invar_device_name(t->given.device), err) &&
           store_number(file, "invar.threads", invar_device_threads(t->given.device), err) &&
           (invar_ranks_count(t->given.options.ranks) == 1 ||
            store_number(file, "invar.ranks", invar_ranks_count(t->given.options.ranks), err)) &&
           (!t->folder.machines.data ||
            invar_safetensors_set_metadata(file, "invar.machine", t->folder.machines.data, err)) &&
           (!t->given.info->identity ||
            invar_safetensors_set_metadata(file, "invar.identity", t->given.info->identity, err)) &&
           length_store(&t->clock, file, err) && store_number(file, "invar.step", t->clock.step, err) &&
           store_number(file, "invar.warned_deviation", t->reported.warned_deviation, err) &&
           store_number(file, "invar.warned_rank", t->reported.warned_rank, err);
}

/* Weights are looked at first: a checkpoint that is not finite would push out the last good one. What reports a step
 * reaches the disk before (before_checkpoint): metrics that lag behind the checkpoint would have a hole after a
 * crash, while lines of steps behind the checkpoint are cut when the run goes on. */
bool checkpoint_write(struct invar_trainer *t, struct invar_error *err)
{
    struct invar_safetensors *file = NULL;
    char name[64], path[INVAR_PATH_SIZE];
    const int64_t before = t->folder.saved;
    bool ok = false;

    if (!nonfinite_check_weights(t, err) ||
        (t->given.options.before_checkpoint && !t->given.options.before_checkpoint(t->given.options.user, err)))
        return false;
    checkpoint_name(name, sizeof name, t->clock.step);
    file = invar_safetensors_create(err);
    if (!file || !folder_path(&t->folder, name, path, err) || !store_metadata(t, file, err))
        goto done;
    if (!trainer_store(t, file, err) || !invar_safetensors_write(file, path, err))
        goto done;
    t->folder.saved = t->clock.step;
    ok = folder_prune(&t->folder, t->clock.step, before, err);
done:
    invar_safetensors_free(file);
    return ok;
}

static bool write_encoder(struct invar_trainer *t, struct invar_error *err)
{
    char path[INVAR_PATH_SIZE];

    weights_download(trainer_kept(t, INVAR_NET_ENCODER), t->chain.encoder->parameters, t->chain.encoder->statistics);
    t->chain.encoder->steps = t->clock.step;
    invar_text_free(&t->chain.encoder->machine);
    if (t->folder.machines.data && !invar_text_printf(&t->chain.encoder->machine, err, "%s", t->folder.machines.data))
        return false;
    return folder_path(&t->folder, "encoder.safetensors", path, err) &&
           invar_encoder_write(t->chain.encoder, path, err);
}

static bool write_head(struct invar_trainer *t, int which, const char *name, struct invar_error *err)
{
    const struct invar_chain_net *n = trainer_net(t, which);
    struct invar_head head = {.options = n->head, .net = n->net};
    struct invar_staging s = {0};
    char path[INVAR_PATH_SIZE];
    bool ok = staging_create(&s, n->net, err) && folder_path(&t->folder, name, path, err);

    if (ok) {
        weights_download(trainer_kept(t, which), s.parameters, s.statistics);
        head.parameters = s.parameters;
        head.statistics = s.statistics;
        snprintf(head.recipe, sizeof head.recipe, "%.127s", t->given.recipe->name);
        ok = invar_head_write(&head, path, err);
    }
    staging_free(&s);
    return ok;
}

/* The generator, so that its perturbations can be looked at later. */
static bool write_generator(struct invar_trainer *t, struct invar_error *err)
{
    struct invar_safetensors *file = invar_safetensors_create(err);
    char path[INVAR_PATH_SIZE];
    const bool ok = file && folder_path(&t->folder, "generator.safetensors", path, err) &&
                    invar_safetensors_set_metadata(file, "invar.version", INVAR_VERSION, err) &&
                    invar_safetensors_set_metadata(file, "invar.kind", "generator", err) &&
                    invar_safetensors_set_metadata(file, "invar.recipe", t->given.recipe->name, err) &&
                    store_weights(t->adversary.net.weights, "", file, err) && invar_safetensors_write(file, path, err);

    invar_safetensors_free(file);
    return ok;
}

/* A run that ended before there was such a file has the weights in its last checkpoint. Older versions did not write
 * it. */
static bool find_projector(const struct invar_trainer *t, bool *missing, struct invar_error *err)
{
    char path[INVAR_PATH_SIZE];
    bool there;

    if (!folder_path(&t->folder, "projector.safetensors", path, err) || !invar_path_find(path, &there, err))
        return false;
    *missing = !there && t->folder.saved == t->clock.total;
    return true;
}

/* A run that ended as it could not remove older checkpoints does so when it goes on. */
static bool prune_again(const struct invar_trainer *t, struct invar_error *err)
{
    int64_t before;

    return t->folder.saved != t->clock.step || (folder_newest(t->folder.path, t->clock.step, &before, err) &&
                                                folder_prune(&t->folder, t->clock.step, before, err));
}

/* Each file is written whole and renamed; encoder.safetensors is what makes a run finished, so everything that
 * belongs to a finished run has to be there before it. */
bool checkpoint_finish(struct invar_trainer *t, struct invar_error *err)
{
    /* A run of another length than before may have been stopped between its last checkpoint and its files. */
    const bool written =
        t->folder.finished && !((t->folder.rewrite || t->clock.extended) && t->folder.saved == t->clock.total);

    bool missing;

    if (!prune_again(t, err))
        return false;
    if (t->chain.nets[INVAR_NET_PROJECTOR].net && !find_projector(t, &missing, err))
        return false;
    if (t->chain.nets[INVAR_NET_PROJECTOR].net && (!written || missing) &&
        !write_head(t, INVAR_NET_PROJECTOR, "projector.safetensors", err))
        return false;
    if (t->classifier.objective && !written && !write_head(t, INVAR_NET_CLASSIFIER, "classifier.safetensors", err))
        return false;
    if (t->adversary.net.net && !written && !write_generator(t, err))
        return false;
    /* Last, since it is what tells a run that has ended. */
    return written || write_encoder(t, err);
}

/* ---- reading ---- */

static int64_t read_number(const struct invar_safetensors *file, const char *key)
{
    const char *text = invar_safetensors_metadata(file, key);
    return text ? strtoll(text, NULL, 10) : -1;
}

/* The step inside must be the one that the name says: a copied file under another name would make the run repeat, or
 * skip, steps. */
static bool restore(struct invar_trainer *t, const struct invar_safetensors *file, const char *path, int64_t step,
                    struct invar_error *err)
{
    if (read_number(file, "invar.step") != step)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is that of another step", path);
    if (!trainer_restore(t, file, path, err) || !machines_restore(&t->folder, file, err))
        return false;
    t->folder.saved = step;
    t->reported.warned_deviation = read_number(file, "invar.warned_deviation") == 1;
    t->reported.warned_rank = read_number(file, "invar.warned_rank") == 1;
    return true;
}

/* A run goes on over the data that it was begun with, wherever they lie now. An identity is of what the files hold,
 * not of where they lie, so data may be moved. Going on with others is allowed, but only on purpose. */
static bool check_identity(const struct invar_trainer *t, const struct invar_safetensors *file, bool moved,
                           struct invar_error *err)
{
    const char *before = invar_safetensors_metadata(file, "invar.identity");
    const struct invar_dataset_info *info = t->given.info;
    char difference[512];

    if (t->given.options.accept_data || !info->identity)
        return true;
    if (!before)
        return !moved || invar_error_set(err, INVAR_ERROR_USAGE,
                                         "%s: its checkpoint is of an earlier version and does not say what its data "
                                         "were, so %s cannot be compared: give accept-data to go on with it",
                                         t->folder.path, info->source);
    return invar_data_identity_same(before, info->identity, difference, sizeof difference) ||
           invar_error_set(err, INVAR_ERROR_DATA,
                           "%s: %s has other data than the run went on so far: they differ in %s: give the data of "
                           "before (data.source=...), or accept-data to go on with these",
                           t->folder.path, info->source, difference);
}

/* What is no damage of the checkpoint but asked for otherwise: other data, another length. Errors here end the
 * resumption, whereas damage falls back to the checkpoint before: the older one was written under the same settings,
 * and would only hide the question. */
static bool admit(struct invar_trainer *t, const struct invar_safetensors *file, const char *path, int64_t step,
                  struct invar_error *err)
{
    const char *recipe = invar_safetensors_metadata(file, "invar.recipe");
    bool length, place;

    if (!recipe || !folder_compare(&t->folder, recipe, &length, &place, NULL))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: was written under other settings than recipe.yaml beside it has: put recipe.yaml "
                               "back as it was, or give another run",
                               path);
    return check_identity(t, file, place, err) && length_restore(&t->clock, file, step, length, err);
}

/* The same bits need the same library, device and number of threads: say when one differs. */
static void warn_of_changes(const struct invar_trainer *t, const struct invar_safetensors *file)
{
    const char *device = invar_safetensors_metadata(file, "invar.device");

    machines_warn(&t->folder, file);
    const int64_t ranks = read_number(file, "invar.ranks"), before = ranks < 1 ? 1 : ranks;
    if (before != invar_ranks_count(t->given.options.ranks))
        invar_log(INVAR_LOG_WARNING,
                  "the run went on in %lld processes so far and goes on in %d: its result will differ in rounding from "
                  "an uninterrupted run",
                  (long long)before, invar_ranks_count(t->given.options.ranks));
    if (!device || strcmp(device, invar_device_name(t->given.device)) != 0)
        invar_log(INVAR_LOG_WARNING, "the run went on device %s so far: its result will differ in rounding",
                  device ? device : "?");
}

/* From the newest back to the first that is whole. Only damage (FORMAT) may fall back: a disk error on the newest
 * would otherwise throw away steps without a word. */
bool checkpoint_resume(struct invar_trainer *t, bool *found, struct invar_error *err)
{
    char name[64], path[INVAR_PATH_SIZE];
    int64_t step = INT64_MAX;

    *found = false;
    while (!*found) {
        struct invar_safetensors *file = NULL;
        struct invar_error damage = {0};
        if (!folder_newest(t->folder.path, step, &step, err))
            return false;
        if (step < 0)
            break;
        checkpoint_name(name, sizeof name, step);
        if (!folder_path(&t->folder, name, path, err))
            return false;
        const bool whole = invar_safetensors_read(&file, path, &damage);
        if (whole && !admit(t, file, path, step, err)) {
            invar_safetensors_free(file);
            return false;
        }
        *found = whole && restore(t, file, path, step, &damage);
        if (*found)
            warn_of_changes(t, file);
        invar_safetensors_free(file);
        /* A disk or a memory that fails says nothing about the file. */
        if (!*found && damage.code != INVAR_ERROR_FORMAT)
            return invar_error_set(err, damage.code, "%s", damage.message);
        if (!*found)
            invar_log(INVAR_LOG_WARNING, "%s; the checkpoint before it is used", damage.message);
    }
    return true;
}
