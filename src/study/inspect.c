/* SPDX-License-Identifier: Apache-2.0 */
/* An inspection of a run with what lies beside its encoder. */
#include "invar/expert/file.h"
#include "invar/log.h"
#include "invar/study.h"
#include "run/recipe.h"
#include "run/results.h"
#include "study/inspect_results.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 4096, BATCH = 256 };

/* Everything that is read from the folder of the run beside the encoder. */
struct beside {
    struct run_recipe recipe;
    struct invar_head *projector;
    char no_projector[INVAR_FINDING_TEXT];
    struct invar_perturber *perturber;
    double probe_error;
    char no_probe_error[INVAR_FINDING_TEXT];
};

/* What the linear probe of the run gets wrong, where it was measured on the same data. */
static bool read_probe(const struct invar_run *run, struct beside *out, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    char difference[256];
    struct invar_probe_results *results = invar_probe_results_read(run->folder, err);

    if (!results)
        return false;
    const struct invar_probed *linear = invar_probe_results_find(results, "linear");
    out->probe_error = -1;
    if (!linear || isnan(linear->top1) || !linear->data)
        snprintf(out->no_probe_error, sizeof out->no_probe_error,
                 "there is no linear probe of this run: measure one first");
    else if (strcmp(linear->data, info->source) != 0)
        snprintf(out->no_probe_error, sizeof out->no_probe_error,
                 "the linear probe of this run is of %.200s: measure one with these data", linear->data);
    else if (linear->data_identity && info->identity &&
             !invar_data_identity_same(linear->data_identity, info->identity, difference, sizeof difference))
        snprintf(out->no_probe_error, sizeof out->no_probe_error,
                 "the linear probe of this run is of what was there before: the data differ in %s: "
                 "measure it anew",
                 difference);
    else
        out->probe_error = 100 - linear->top1;
    invar_probe_results_free(results);
    return true;
}

static bool read_beside(const struct invar_run *run, struct beside *out, struct invar_error *err)
{
    const char *folder = run->folder;
    char path[PATH_SIZE];

    if (!run_recipe_read(folder, &out->recipe, err) ||
        (out->recipe.adversary && !(out->perturber = invar_run_perturber(run, BATCH, NULL, err))) ||
        !invar_path_join(path, sizeof path, folder, "projector.safetensors", err))
        return false;
    if (invar_path_exists(path)) {
        out->projector = invar_head_read(path, err);
        return out->projector != NULL;
    }
    if (out->recipe.found && !out->recipe.projector)
        snprintf(out->no_projector, sizeof out->no_projector, "the recipe has no projector: z is h");
    else
        snprintf(out->no_projector, sizeof out->no_projector,
                 "%.300s: there is no such file, so z is not measured; resuming the run writes it "
                 "where the last checkpoint is still there",
                 path);
    return true;
}

/* Features from elsewhere have neither. */
static void nothing_beside(const struct invar_run *run, struct beside *out)
{
    snprintf(out->no_projector, sizeof out->no_projector, "features from elsewhere are h, and there is no z");
    snprintf(out->no_probe_error, sizeof out->no_probe_error,
             "%.200s are features: measure a linear probe of them with labels FILE", run->folder);
    out->probe_error = -1;
}

/* Features of another view must be of the same samples: as many, as wide. */
static bool check_pair(const struct invar_run *run, const struct invar_run *pair, struct invar_error *err)
{
    const struct invar_dataset_info *a = invar_dataset_info(run->dataset), *b = invar_dataset_info(pair->dataset);

    return (a->count[0] + a->count[1] == b->count[0] + b->count[1] && a->channels == b->channels) ||
           invar_error_set(err, INVAR_ERROR_DATA,
                           "%s: has %lld rows of %d features where %s has %lld of %d; expected another view of the "
                           "same samples, row by row",
                           pair->folder, (long long)(b->count[0] + b->count[1]), b->channels, run->folder,
                           (long long)(a->count[0] + a->count[1]), a->channels);
}

static struct invar_inspection *measure(const struct invar_run *run, const struct invar_run *pair,
                                        enum invar_split split, const struct beside *beside,
                                        const struct invar_inspect_options *options, struct invar_error *err)
{
    const struct invar_inspect_subject subject = {
        .device = run->device,
        .dataset = run->dataset,
        .pair = pair ? pair->dataset : NULL,
        .split = split,
        .encoder = run->encoder,
        .projector = beside->projector,
        .no_projector = beside->no_projector,
        .views = beside->recipe.found ? &beside->recipe.views : NULL,
        .perturber = beside->perturber,
        .logdet_beta = beside->recipe.logdet_beta,
        .logdet_share = beside->recipe.logdet_share,
        .probe_error = beside->probe_error >= 0 ? &beside->probe_error : NULL,
        .no_probe_error = beside->no_probe_error,
        .watch = run->watch,
    };

    if (run->encoder && !beside->recipe.found)
        invar_log(INVAR_LOG_WARNING, "%s/recipe.yaml: there is no such file, so nothing is said about views",
                  run->folder);
    return invar_inspect(&subject, options, err);
}

static bool describe(const struct invar_run *run, enum invar_split split, struct invar_inspect_results *out,
                     struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    struct json_room *room = study_inspect_results_room(out);

    out->data = json_room_text(room, info->source);
    out->data_identity = json_room_text(room, info->identity);
    out->split = split == INVAR_TRAIN ? "train" : "test";
    return run_measured_on(run, NULL, room, &out->machine, err);
}

struct invar_inspect_results *invar_inspect_run(const struct invar_run *run, const struct invar_run *pair,
                                                enum invar_split split, const struct invar_inspect_options *options,
                                                struct invar_error *err)
{
    struct invar_inspect_results *results = NULL;
    struct invar_inspection *inspection = NULL;
    struct beside beside = {0};
    bool ok = !pair || check_pair(run, pair, err);

    if (ok && run->encoder)
        ok = study_inspect_results_keep(NULL, run->folder, err) && read_beside(run, &beside, err) &&
             read_probe(run, &beside, err);
    else
        nothing_beside(run, &beside);
    if (ok)
        inspection = measure(run, pair, split, &beside, options, err);
    if (inspection)
        results = study_inspect_results_create(inspection, options, err);
    ok = results && describe(run, split, results, err) &&
         (!run->encoder || study_inspect_results_keep(results, run->folder, err));
    invar_perturber_close(beside.perturber);
    invar_head_free(beside.projector);
    if (ok)
        return results;
    invar_inspect_results_free(results);
    return NULL;
}
