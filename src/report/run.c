/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of run folders: every file that is there, and a sentence about every one that cannot be used. */
#include "report/run.h"
#include "invar/data.h"
#include "invar/expert/file.h"
#include "invar/memory.h"
#include "invar/version.h"
#include "report/run_series.h"
#include "train/folder.h"
#include "train/recipe.h"
#include "train/recipe_file.h"
#include "run/results.h"
#include "study/inspect_results.h"
#include "study/probe_results.h"
#include "study/returns_results.h"
#include "study/robustness_results.h"
#include "base/points.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_SIZE = 4096 };

static bool add_problem(struct report_run *run, const char *sentence, struct invar_error *err)
{
    void *items = run->problem;
    if (!invar_grow(&items, run->problem_count, &run->problem_capacity, sizeof *run->problem, err))
        return false;
    run->problem = items;
    run->problem[run->problem_count] = invar_strdup(sentence, err);
    return run->problem[run->problem_count] && ++run->problem_count;
}

/* What a file has wrong is shown, not fatal; what the machine has wrong (memory) is. */
static bool forgive(struct report_run *run, const struct invar_error *found, struct invar_error *err)
{
    if (found->code == INVAR_ERROR_MEMORY)
        return invar_error_set(err, found->code, "%s", found->message);
    return add_problem(run, found->message, err);
}

/* ---- recipe.yaml ---- */

/* The document of the recipe as this version resolves it: with the defaults of options that it lacks. */
static struct invar_node *complete(const struct report_run *run, struct invar_error *err)
{
    struct invar_text text = {0};
    struct invar_node *node = NULL;
    if (invar_recipe_write(run->resolved, &text, err))
        node = invar_node_parse(text.data, text.size, run->folder, err);
    invar_text_free(&text);
    return node;
}

static int count_options(const struct invar_node *node)
{
    int count = 0;
    for (int i = 0; i < invar_node_count(node); i++) {
        const struct invar_node *child = invar_node_child(node, i);
        count += invar_node_is_mapping(child) ? count_options(child) : 1;
    }
    return count;
}

/* Keeps what this version makes of the recipe, so that runs of older versions have the same options. */
static bool use_completed(struct report_run *run, struct invar_error *err)
{
    struct invar_error found = {0};
    run->resolved = recipe_of(run->recipe, invar_node_origin(run->recipe), &found);
    struct invar_node *completed = run->resolved ? complete(run, &found) : NULL;
    if (!completed)
        return forgive(run, &found, err);
    run->defaulted = count_options(completed) - count_options(run->recipe);
    invar_node_free(run->recipe);
    run->recipe = completed;
    return true;
}

static bool read_recipe(struct report_run *run, struct invar_error *err)
{
    struct invar_error found = {0};

    if (!recipe_file_node(run->folder, &run->recipe, &found)) {
        run->unread = true;
        return forgive(run, &found, err);
    }
    run->agent = invar_node_get(run->recipe, "env") != NULL;
    return !run->recipe ||
           ((run->agent || use_completed(run, err)) &&
            run_settings_add(&run->setting, &run->setting_count, &run->setting_capacity, run->recipe, err));
}

/* ---- results ---- */

#define LEFT_OUT ", so it is left out; move it away and measure again"

static bool read_probe(struct report_run *run, const char *path, struct invar_error *err)
{
    struct invar_error found = {0};

    (void)path;
    run->probe = study_probe_results_read(run->folder, LEFT_OUT, &found);
    return run->probe || !found.code || forgive(run, &found, err);
}

static bool read_robustness(struct report_run *run, const char *path, struct invar_error *err)
{
    struct invar_error found = {0};

    (void)path;
    run->robustness = study_robustness_results_read(run->folder, LEFT_OUT, &found);
    return run->robustness || !found.code || forgive(run, &found, err);
}

static bool read_inspect(struct report_run *run, const char *path, struct invar_error *err)
{
    struct invar_error found = {0};

    (void)path;
    run->inspect = study_inspect_results_read(run->folder, LEFT_OUT, &found);
    return run->inspect || !found.code || forgive(run, &found, err);
}

static bool read_returns(struct report_run *run, const char *path, struct invar_error *err)
{
    struct invar_error found = {0};

    (void)path;
    run->returns = study_returns_results_read(run->folder, LEFT_OUT, &found);
    return run->returns || !found.code || forgive(run, &found, err);
}

/* Weights of an agent: that they are there is all that is to be known here. */
static bool read_agent(struct report_run *run, const char *path, struct invar_error *err)
{
    (void)path, (void)err;
    run->finished = true;
    return true;
}

static bool read_metrics(struct report_run *run, const char *path, struct invar_error *err)
{
    struct invar_error found = {0};
    return report_series_read(run, path, &found) || forgive(run, &found, err);
}

/* ---- encoder.safetensors: its header alone, the weights may be large ---- */

static bool read_encoder(struct report_run *run, const char *path, struct invar_error *err)
{
    struct invar_error found = {0};

    run->finished = true;
    run_metadata_read(&run->metadata, path, &found);
    if (found.code == INVAR_ERROR_MEMORY || found.code == INVAR_ERROR_FILE)
        return forgive(run, &found, err);
    invar_error_clear(&found);
    const char *version = run->metadata.version;
    if (!version)
        invar_error_set(&found, INVAR_ERROR_FORMAT,
                        "%s: is torn or was not written by invar, so the version of the run is not known", path);
    else if (strcmp(version, INVAR_VERSION) != 0)
        invar_error_set(&found, INVAR_ERROR_FORMAT,
                        "%s: was written by version %.40s, this is %s: what the two call by one name may differ", path,
                        version, INVAR_VERSION);
    return !found.code || forgive(run, &found, err);
}

/* ---- a checkpoint, for what an encoder would say of a run that has none yet ---- */

/* A torn one says nothing, as training passes over it too; nor does one that training took away meanwhile. */
static bool read_checkpoint(struct report_run *run, struct invar_error *err)
{
    char name[64], path[PATH_SIZE];
    struct invar_error found = {0};
    int64_t newest;

    if (!folder_newest(run->folder, INT64_MAX, &newest, &found))
        return forgive(run, &found, err);
    if (run->finished && run->metadata.steps > 0 && newest > run->metadata.steps) {
        invar_error_set(&found, INVAR_ERROR_USAGE,
                        "%s: its encoder is that of step %lld, and the run went on to step %lld since", run->folder,
                        (long long)run->metadata.steps, (long long)newest);
        return forgive(run, &found, err);
    }
    if (run->finished || newest < 0)
        return true;
    checkpoint_name(name, sizeof name, newest);
    if (!invar_path_join(path, sizeof path, run->folder, name, err))
        return false;
    run_metadata_read(&run->metadata, path, &found);
    return (found.code != INVAR_ERROR_MEMORY && (found.code != INVAR_ERROR_FILE || !invar_path_exists(path))) ||
           forgive(run, &found, err);
}

/* ---- the folder ---- */

static const struct run_file {
    const char *name;
    bool (*read)(struct report_run *run, const char *path, struct invar_error *err);
    bool makes_run; /* one of these must be there */
} files[] = {
    {"metrics.jsonl", read_metrics, true},   {"encoder.safetensors", read_encoder, true},
    {"probe.json", read_probe, false},       {"robustness.json", read_robustness, false},
    {"inspect.json", read_inspect, false},   {"returns.json", read_returns, false},
    {"agent.safetensors", read_agent, true},
};

/* The last part of the path. */
static char *own_name(const char *folder, struct invar_error *err)
{
    size_t end = strlen(folder), start;
    while (end > 1 && folder[end - 1] == '/')
        end--;
    for (start = end; start > 0 && folder[start - 1] != '/'; start--)
        ;
    char *name = invar_strdup(folder + start, err);
    if (name && end - start > 0)
        name[end - start] = '\0';
    return name;
}

static double training_seconds(const struct report_run *run)
{
    NUMBERS_HAVE_POINTS();
    const double *step = report_run_series(run, "step"), *rate = report_run_series(run, "samples_per_s");
    const char *text = report_run_setting(run, "training.batch");
    const double batch = text ? strtod(text, NULL) : 0;
    double seconds = 0, unmeasured = 0, before = 0;

    if (!rate || !(batch > 0))
        return NAN;
    for (int64_t i = 0; i < run->rows; before = step[i++]) {
        unmeasured += step[i] - before;
        if (rate[i] > 0) {
            seconds += unmeasured * batch / rate[i];
            unmeasured = 0;
        }
    }
    return seconds > 0 ? seconds : NAN;
}

static bool set_names(struct report_run *run, struct invar_error *err)
{
    const char *name = report_run_setting(run, "name"), *source = report_run_setting(run, "data.source");
    const char *seed = report_run_setting(run, "training.seed");
    const char *version = run->finished ? run->metadata.version : NULL;
    char *end = NULL;
    const long long value = seed ? strtoll(seed, &end, 10) : -1;

    run->seed = seed && end != seed && !*end && value >= 0 ? value : -1;
    run->seconds = training_seconds(run);
    run->name = invar_strdup(name && *name ? name : run->label, err);
    run->source = invar_strdup(source ? source : "", err);
    run->version = invar_strdup(version ? version : "", err);
    run->identity = invar_strdup(run->metadata.identity ? run->metadata.identity : "", err);
    return run->name && run->source && run->version && run->identity;
}

/* A result of the run's own source that was measured on what the encoder was not trained on. */
static bool check_data(struct report_run *run, const char *name, const char *data, const char *identity,
                       struct invar_error *err)
{
    struct invar_error found = {0};
    char difference[256];

    if (!data || !identity || strcmp(data, run->source) != 0 ||
        invar_data_identity_same(run->identity, identity, difference, sizeof difference))
        return true;
    invar_error_set(
        &found, INVAR_ERROR_DATA,
        "%s: %s was measured on other data than the encoder was trained on: %s has changed since, they differ "
        "in %s",
        run->folder, name, data, difference);
    return forgive(run, &found, err);
}

static bool check_results(struct report_run *run, struct invar_error *err)
{
    const struct invar_robustness_protocol *protocol = run->robustness ? run->robustness->protocol : NULL;
    const struct invar_inspect_results *inspect = run->inspect;

    for (int64_t i = 0; run->probe && i < run->probe->count; i++) {
        const struct invar_probed *item = &run->probe->item[i];
        if (!check_data(run, item->name, item->data, item->data_identity, err))
            return false;
    }
    return (!inspect || check_data(run, "inspect.json", inspect->data, inspect->data_identity, err)) &&
           (!protocol || check_data(run, "robustness.json", protocol->data, protocol->data_identity, err));
}

static bool read_files(struct report_run *run, struct invar_error *err)
{
    char path[PATH_SIZE];
    bool is_run, there;

    if (!read_recipe(run, err))
        return false;
    is_run = run->recipe || run->unread;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (!invar_path_join(path, sizeof path, run->folder, files[i].name, err))
            return false;
        if (!invar_path_find(path, &there, err))
            return false;
        if (!there)
            continue;
        is_run |= files[i].makes_run;
        struct invar_error found = {0};
        if (!invar_path_is_file(path, &found)) {
            if (!forgive(run, &found, err))
                return false;
            continue;
        }
        if (!files[i].read(run, path, err))
            return false;
    }
    if (!is_run)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s: is no run: it has neither recipe.yaml nor metrics.jsonl nor encoder.safetensors; "
                               "give the folder that a training made",
                               run->folder);
    return true;
}

struct report_run *report_run_read(const char *folder, struct invar_error *err)
{
    struct stat status;
    struct report_run *run = NULL;
    if (stat(folder, &status) || !S_ISDIR(status.st_mode)) {
        invar_error_set(err, INVAR_ERROR_FILE, "%s: there is no such folder; give the folder of a run", folder);
        return NULL;
    }
    run = invar_alloc(1, sizeof *run, err);
    if (!run)
        return NULL;
    run->folder = invar_strdup(folder, err);
    run->label = run->folder ? own_name(folder, err) : NULL;
    if (run->label && read_files(run, err) && read_checkpoint(run, err) && set_names(run, err) &&
        check_results(run, err))
        return run;
    report_run_free(run);
    return NULL;
}

void report_run_free(struct report_run *run)
{
    if (!run)
        return;
    for (int i = 0; i < run->problem_count; i++)
        invar_free(run->problem[i]);
    run_settings_free(run->setting, run->setting_count);
    invar_free(run->problem);
    report_series_free(run);
    run_metadata_free(&run->metadata);
    invar_probe_results_free(run->probe);
    invar_robustness_results_free(run->robustness);
    invar_returns_results_free(run->returns);
    invar_inspect_results_free(run->inspect);
    invar_node_free(run->recipe);
    invar_recipe_free(run->resolved);
    invar_free(run->folder);
    invar_free(run->label);
    invar_free(run->name);
    invar_free(run->source);
    invar_free(run->version);
    invar_free(run->identity);
    invar_free(run);
}

static void add_machine(const struct invar_measured_on *machine, const struct invar_measured_on **out, int most,
                        int *count)
{
    if (machine && *count < most)
        out[(*count)++] = machine;
}

int report_run_machines(const struct report_run *run, bool measured, const struct invar_measured_on **out, int most)
{
    int count = 0;

    for (int64_t i = 0; !measured && i < run->metadata.machines.count; i++)
        add_machine(&run->metadata.machines.item[i], out, most, &count);
    for (int64_t i = 0; measured && run->probe && i < run->probe->count; i++)
        add_machine(run->probe->item[i].machine, out, most, &count);
    if (measured && run->robustness)
        add_machine(run->robustness->machine, out, most, &count);
    if (measured && run->inspect)
        add_machine(run->inspect->machine, out, most, &count);
    return count;
}

void report_run_put_machines(const struct report_run *run, const char *name, struct json_writer *w)
{
    if (!run->metadata.machines.item)
        return;
    json_open_array(w, name);
    for (int64_t i = 0; i < run->metadata.machines.count; i++) {
        json_open_object(w, NULL);
        json_table_write(&run_machine_table, &run->metadata.machines.item[i], w);
        json_close(w);
    }
    json_close(w);
}

const double *report_run_series(const struct report_run *run, const char *name)
{
    for (int i = 0; i < run->series_count; i++)
        if (strcmp(run->series[i].name, name) == 0)
            return run->series[i].value;
    return NULL;
}

double report_run_last(const struct report_run *run, const char *name)
{
    const double *value = report_run_series(run, name);
    for (int64_t i = value ? run->rows : 0; i > 0; i--)
        if (isfinite(value[i - 1]))
            return value[i - 1];
    return NAN;
}

const char *report_run_setting(const struct report_run *run, const char *key)
{
    for (int i = 0; i < run->setting_count; i++)
        if (strcmp(run->setting[i].key, key) == 0)
            return run->setting[i].value;
    return NULL;
}
