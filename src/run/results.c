/* SPDX-License-Identifier: Apache-2.0 */
/* Results in the folder of a run: one checked reader and writer of JSON. */
#include "run/results.h"
#include "base/json.h"
#include "invar/expert/file.h"
#include "invar/memory.h"

#include <math.h>
#include <string.h>

enum { PATH_SIZE = 4096 };
static const size_t largest_result = (size_t)1 << 26;

static cJSON *read_results(const char *path, const char *advice, struct invar_error *err)
{
    struct invar_bytes bytes = {0};
    cJSON *root = NULL;
    bool there;
    if (!invar_path_find(path, &there, err))
        return NULL;
    if (!there) {
        root = cJSON_CreateObject();
        if (!root)
            invar_error_set(err, INVAR_ERROR_MEMORY, "there is not enough memory for %s", path);
        return root;
    }
    if (!invar_path_is_file(path, err) || !invar_file_read(&bytes, path, largest_result, err))
        return NULL;
    root = json_parse((const char *)bytes.data, bytes.size, JSON_MOST_VALUES, path, advice, err);
    invar_bytes_free(&bytes);
    if (!root || cJSON_IsObject(root))
        return root;
    cJSON_Delete(root);
    invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is no JSON object%s", path, advice);
    return NULL;
}

bool run_results_write(const char *folder, const char *name, const char *text, struct invar_error *err)
{
    char path[PATH_SIZE];

    return invar_path_join(path, sizeof path, folder, name, err) && invar_file_write(path, text, strlen(text), err);
}

/* The members of the second object become those of the first. */
static void merge(cJSON *root, cJSON *results)
{
    while (results->child) {
        cJSON *item = cJSON_DetachItemViaPointer(results, results->child);
        cJSON_DeleteItemFromObjectCaseSensitive(root, item->string);
        cJSON_AddItemToArray(root, item); /* with the name that it has */
    }
}

bool run_results_merge(const char *folder, const char *name, const char *text, struct invar_error *err)
{
    cJSON *root = run_results_read(folder, name, RUN_RESULTS_ADDED, err), *results = NULL;
    char *all = NULL;
    bool ok = root;

    if (ok && text) {
        json_begin();
        results = json_parse(text, strlen(text), JSON_MOST_VALUES, name, "", err);
        if (results)
            merge(root, results);
        all = results ? json_print(root, true, name, err) : NULL;
        ok = all && run_results_write(folder, name, all, err);
    }
    cJSON_free(all);
    cJSON_Delete(results);
    cJSON_Delete(root);
    return ok;
}

void run_add_data(const struct invar_dataset_info *info, cJSON *object)
{
    cJSON_AddStringToObject(object, "data", info->source);
    if (info->identity)
        cJSON_AddStringToObject(object, "data_identity", info->identity);
}

#define MACHINE(kind, member) JSON_ROW(struct invar_measured_on, kind, member)
static const struct json_row members[] = {MACHINE(TEXT, processor),       MACHINE(TEXT, engine),
                                          MACHINE(TEXT, instruction_set), MACHINE(TEXT, precision),
                                          MACHINE(COUNT, threads),        {0}};
const struct json_table run_machine_table = {sizeof(struct invar_measured_on), members};

bool run_measured_on(const struct invar_run *run, const char *precision, struct json_room *room,
                     const struct invar_measured_on **out, struct invar_error *err)
{
    const bool half = precision && strcmp(precision, invar_precision_name(INVAR_PRECISION_BFLOAT16)) == 0;
    struct invar_machine machine;
    struct invar_measured_on *on = json_room_take(room, 1, sizeof *on);

    *out = on;
    if (!on)
        return json_room_whole(room, "the results", err);
    if (!invar_device_machine(run->device, half ? INVAR_PRECISION_BFLOAT16 : INVAR_PRECISION_FLOAT32, &machine, err))
        return false;
    *on = (struct invar_measured_on){.processor = json_room_text(room, machine.processor),
                                     .engine = json_room_text(room, machine.engine),
                                     .instruction_set = json_room_text(room, machine.instruction_set),
                                     .precision = machine.precision,
                                     .threads = machine.threads};
    return json_room_whole(room, "the results", err);
}

cJSON *run_results_read(const char *folder, const char *name, const char *advice, struct invar_error *err)
{
    char path[PATH_SIZE];

    return invar_path_join(path, sizeof path, folder, name, err) ? read_results(path, advice, err) : NULL;
}

/* ---- results in memory ---- */

struct invar_results *run_results_create(struct invar_error *err)
{
    struct invar_results *results = invar_alloc(1, sizeof *results, err);

    if (!results)
        return NULL;
    json_begin(); /* what was lost from earlier results is not of these */
    results->root = cJSON_CreateObject();
    if (results->root)
        return results;
    invar_free(results);
    invar_error_set(err, INVAR_ERROR_MEMORY, "there is not enough memory for the results; free some and try again");
    return NULL;
}

void invar_results_free(struct invar_results *results)
{
    if (!results)
        return;
    cJSON_Delete(results->root);
    invar_free(results);
}

double invar_results_number(const struct invar_results *results, const char *path)
{
    const cJSON *item = results->root;

    while (item && *path) {
        const size_t length = strcspn(path, "/");
        const cJSON *child = item->child;
        while (child && (!child->string || strlen(child->string) != length || memcmp(child->string, path, length) != 0))
            child = child->next;
        item = child;
        path += length + (path[length] == '/');
    }
    return cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;
}

bool invar_results_write(const struct invar_results *results, struct invar_text *out, struct invar_error *err)
{
    char *text = json_print(results->root, true, "the results", err);
    const bool ok = text && invar_text_printf(out, err, "%s\n", text);

    cJSON_free(text);
    return ok;
}
