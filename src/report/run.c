/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of run folders: every file that is there, and a sentence about every one that cannot be used. */
#include "report/run.h"
#include "base/json.h"
#include "invar/data.h"
#include "invar/expert/file.h"
#include "invar/memory.h"
#include "invar/version.h"
#include "report/run_series.h"
#include "run/recipe.h"
#include "base/points.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_SIZE = 4096 };
static const size_t largest_json = (size_t)1 << 26, largest_header = (size_t)1 << 24;

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

/* The recipe as this version resolves it: with the defaults of options that it lacks. NULL: it cannot be read so. */
static struct invar_node *complete(const char *folder, struct invar_error *err)
{
    struct invar_recipe *recipe = invar_run_recipe(folder, NULL, 0, err);
    struct invar_text text = {0};
    struct invar_node *node = NULL;
    if (recipe && invar_recipe_write(recipe, &text, err))
        node = invar_node_parse(text.data, text.size, folder, err);
    invar_text_free(&text);
    invar_recipe_free(recipe);
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
    struct invar_node *completed = complete(run->folder, &found);
    if (!completed)
        return forgive(run, &found, err);
    run->defaulted = count_options(completed) - count_options(run->recipe);
    invar_node_free(run->recipe);
    run->recipe = completed;
    return true;
}

static bool read_recipe(struct report_run *run, const char *path, struct invar_error *err)
{
    struct invar_error found = {0};
    run->recipe = run_recipe_node(run->folder, &found);
    if (!run->recipe)
        return forgive(run, &found, err);
    if (!invar_node_is_mapping(run->recipe)) {
        invar_node_free(run->recipe);
        run->recipe = NULL;
        invar_error_set(&found, INVAR_ERROR_FORMAT, "%s: is no recipe (a mapping of options), so no option is known",
                        path);
        return forgive(run, &found, err);
    }
    return use_completed(run, err) &&
           run_settings_add(&run->setting, &run->setting_count, &run->setting_capacity, run->recipe, err);
}

/* ---- JSON files ---- */

static bool read_json(struct report_run *run, const char *path, cJSON **out, struct invar_error *err)
{
    static const char advice[] = ", so it is left out; move it away and measure again";
    struct invar_error found = {0};
    struct invar_bytes bytes = {0};
    if (!invar_file_read(&bytes, path, largest_json, &found))
        return forgive(run, &found, err);
    *out = json_parse((const char *)bytes.data, bytes.size, JSON_MOST_VALUES, path, advice, &found);
    invar_bytes_free(&bytes);
    if (cJSON_IsObject(*out))
        return true;
    if (*out)
        invar_error_set(&found, INVAR_ERROR_FORMAT, "%s: is no JSON object%s", path, advice);
    cJSON_Delete(*out);
    *out = NULL;
    return forgive(run, &found, err);
}

static bool read_probe(struct report_run *run, const char *path, struct invar_error *err)
{
    return read_json(run, path, &run->probe, err);
}
static bool read_robustness(struct report_run *run, const char *path, struct invar_error *err)
{
    return read_json(run, path, &run->robustness, err);
}
static bool read_inspect(struct report_run *run, const char *path, struct invar_error *err)
{
    return read_json(run, path, &run->inspect, err);
}

static bool read_metrics(struct report_run *run, const char *path, struct invar_error *err)
{
    struct invar_error found = {0};
    return report_series_read(run, path, &found) || forgive(run, &found, err);
}

/* ---- encoder.safetensors: its header alone, the weights may be large ---- */

static cJSON *header_metadata(const char *path, struct invar_error *err)
{
    unsigned char size_bytes[8];
    FILE *stream = fopen(path, "rb");
    char *text = NULL;
    cJSON *header = NULL, *metadata = NULL;
    uint64_t size = 0;

    if (!stream || fread(size_bytes, 1, sizeof size_bytes, stream) != sizeof size_bytes)
        goto done;
    for (int i = 0; i < 8; i++)
        size |= (uint64_t)size_bytes[i] << (8 * i);
    if (size > largest_header)
        goto done;
    text = invar_alloc((size_t)size + 1, 1, err);
    if (text && fread(text, 1, (size_t)size, stream) == size)
        header = json_parse(text, (size_t)size, JSON_MOST_VALUES, path, "", err);
    metadata = cJSON_DetachItemFromObjectCaseSensitive(header, "__metadata__");
done:
    if (!stream || ferror(stream))
        invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be read: %s", path, strerror(errno));
    if (stream)
        fclose(stream);
    cJSON_Delete(header);
    invar_free(text);
    return metadata;
}

/* Whoever wrote the file, what is no list of objects says nothing. */
static cJSON *read_machines(const cJSON *metadata, const char *path, struct invar_error *err)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(metadata, "invar.machine"));
    cJSON *list = text ? json_parse(text, strlen(text), JSON_MOST_VALUES, path, "", err) : NULL;
    const cJSON *item;
    bool ok = cJSON_IsArray(list);

    cJSON_ArrayForEach(item, list) ok = ok && cJSON_IsObject(item);
    if (ok)
        return list;
    cJSON_Delete(list);
    return NULL;
}

static bool read_encoder(struct report_run *run, const char *path, struct invar_error *err)
{
    struct invar_error found = {0};
    run->encoder = header_metadata(path, &found);
    run->machines = found.code ? NULL : read_machines(run->encoder, path, &found);
    run->finished = true;
    if (found.code == INVAR_ERROR_MEMORY || found.code == INVAR_ERROR_FILE)
        return forgive(run, &found, err);
    invar_error_clear(&found);
    const char *version = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(run->encoder, "invar.version"));
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

/* *newest: its name, "" where there is none. */
static bool newest_checkpoint(const struct report_run *run, char newest[64], struct invar_error *err)
{
    long long best = -1, step;
    int end = 0;
    const struct dirent *entry;
    DIR *stream = opendir(run->folder);

    newest[0] = '\0';
    while (stream && (errno = 0, entry = readdir(stream)))
        if ((end = 0, sscanf(entry->d_name, "checkpoint-%lld.safetensors%n", &step, &end) == 1) && end > 0 &&
            end < 64 && !entry->d_name[end] && step > best) {
            best = step;
            memcpy(newest, entry->d_name, (size_t)end + 1);
        }
    const int reason = errno;
    if (stream)
        closedir(stream);
    return (stream && reason == 0) ||
           invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be listed: %s", run->folder, strerror(reason));
}

/* A torn one says nothing, as training passes over it too; nor does one that training took away meanwhile. */
static bool read_checkpoint(struct report_run *run, struct invar_error *err)
{
    char name[64], path[PATH_SIZE];
    struct invar_error found = {0};

    if (run->finished)
        return true;
    if (!newest_checkpoint(run, name, &found))
        return forgive(run, &found, err);
    if (!name[0])
        return true;
    if (!invar_path_join(path, sizeof path, run->folder, name, err))
        return false;
    run->checkpoint = header_metadata(path, &found);
    run->machines = found.code ? NULL : read_machines(run->checkpoint, path, &found);
    return (found.code != INVAR_ERROR_MEMORY && (found.code != INVAR_ERROR_FILE || !invar_path_exists(path))) ||
           forgive(run, &found, err);
}

/* ---- the folder ---- */

static const struct run_file {
    const char *name;
    bool (*read)(struct report_run *run, const char *path, struct invar_error *err);
    bool makes_run; /* one of these must be there */
} files[] = {
    {INVAR_RECIPE_FILE, read_recipe, true},      {"metrics.jsonl", read_metrics, true},
    {"encoder.safetensors", read_encoder, true}, {"probe.json", read_probe, false},
    {"robustness.json", read_robustness, false}, {"inspect.json", read_inspect, false},
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
    const char *version = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(run->encoder, "invar.version"));
    char *end = NULL;
    const long long value = seed ? strtoll(seed, &end, 10) : -1;

    run->seed = seed && end != seed && !*end && value >= 0 ? value : -1;
    run->seconds = training_seconds(run);
    run->name = invar_strdup(name && *name ? name : run->label, err);
    run->source = invar_strdup(source ? source : "", err);
    run->version = invar_strdup(version ? version : "", err);
    const char *identity = cJSON_GetStringValue(
        cJSON_GetObjectItemCaseSensitive(run->finished ? run->encoder : run->checkpoint, "invar.identity"));
    run->identity = invar_strdup(identity ? identity : "", err);
    return run->name && run->source && run->version && run->identity;
}

/* A result of the run's own source that was measured on what the encoder was not trained on. */
static bool check_data(struct report_run *run, const char *name, const cJSON *result, struct invar_error *err)
{
    const char *data = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(result, "data"));
    const char *identity = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(result, "data_identity"));
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
    const cJSON *item;
    bool ok = true;

    cJSON_ArrayForEach(item, run->probe) ok = ok && check_data(run, item->string ? item->string : "", item, err);
    return ok && check_data(run, "inspect.json", run->inspect, err) &&
           check_data(run, "robustness.json", cJSON_GetObjectItemCaseSensitive(run->robustness, "protocol"), err);
}

static bool read_files(struct report_run *run, struct invar_error *err)
{
    char path[PATH_SIZE];
    bool is_run = false, there;
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
                               "give the folder that `invar pretrain` made",
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
    cJSON_Delete(run->encoder);
    cJSON_Delete(run->machines);
    cJSON_Delete(run->checkpoint);
    cJSON_Delete(run->probe);
    cJSON_Delete(run->robustness);
    cJSON_Delete(run->inspect);
    invar_node_free(run->recipe);
    invar_free(run->folder);
    invar_free(run->label);
    invar_free(run->name);
    invar_free(run->source);
    invar_free(run->version);
    invar_free(run->identity);
    invar_free(run);
}

static void add_machine(const cJSON *result, const cJSON **out, int most, int *count)
{
    const cJSON *machine = cJSON_GetObjectItemCaseSensitive(result, "machine");

    if (cJSON_IsObject(machine) && *count < most)
        out[(*count)++] = machine;
}

int report_run_machines(const struct report_run *run, bool measured, const cJSON **out, int most)
{
    const cJSON *item;
    int count = 0;

    if (!measured) {
        cJSON_ArrayForEach(item, run->machines) if (count < most) out[count++] = item;
        return count;
    }
    cJSON_ArrayForEach(item, run->probe) add_machine(item, out, most, &count);
    add_machine(run->robustness, out, most, &count);
    add_machine(run->inspect, out, most, &count);
    return count;
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

double report_number(const cJSON *object, const char *const *names)
{
    for (; object && *names; names++)
        object = cJSON_GetObjectItemCaseSensitive(object, *names);
    return cJSON_IsNumber(object) ? object->valuedouble : NAN;
}
