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

static cJSON *read_results(const char *path, struct invar_error *err)
{
    struct invar_bytes bytes = {0};
    static const char advice[] = ", so results cannot be added to it; move it away and try again";
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

bool run_results_write(const char *folder, const char *name, const cJSON *results, struct invar_error *err)
{
    char path[PATH_SIZE];

    if (!invar_path_join(path, sizeof path, folder, name, err))
        return false;
    char *text = json_print(results, true, path, err);
    const bool ok = text && invar_file_write(path, text, strlen(text), err);
    cJSON_free(text);
    return ok;
}

bool run_results_merge(const char *folder, const char *name, const cJSON *results, struct invar_error *err)
{
    cJSON *root = run_results_read(folder, name, err);
    const cJSON *item;

    if (!root)
        return false;
    cJSON_ArrayForEach(item, results)
    {
        cJSON_DeleteItemFromObjectCaseSensitive(root, item->string);
        cJSON_AddItemToObject(root, item->string, cJSON_Duplicate(item, true));
    }
    const bool ok = !results || run_results_write(folder, name, root, err);
    cJSON_Delete(root);
    return ok;
}

void run_add_data(const struct invar_dataset_info *info, cJSON *object)
{
    cJSON_AddStringToObject(object, "data", info->source);
    if (info->identity)
        cJSON_AddStringToObject(object, "data_identity", info->identity);
}

bool run_add_machine(const struct invar_run *run, cJSON *result, struct invar_error *err)
{
    const char *precision = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(result, "precision"));
    const bool half = precision && strcmp(precision, invar_precision_name(INVAR_PRECISION_BFLOAT16)) == 0;
    struct invar_machine machine;

    if (!invar_device_machine(run->device, half ? INVAR_PRECISION_BFLOAT16 : INVAR_PRECISION_FLOAT32, &machine, err))
        return false;
    cJSON_DeleteItemFromObjectCaseSensitive(result, "machine");
    cJSON *object = cJSON_AddObjectToObject(result, "machine");
    cJSON_AddStringToObject(object, "processor", machine.processor);
    cJSON_AddStringToObject(object, "engine", machine.engine);
    cJSON_AddStringToObject(object, "instruction_set", machine.instruction_set);
    cJSON_AddStringToObject(object, "precision", machine.precision);
    cJSON_AddNumberToObject(object, "threads", machine.threads);
    return true;
}

cJSON *run_results_read(const char *folder, const char *name, struct invar_error *err)
{
    char path[PATH_SIZE];

    return invar_path_join(path, sizeof path, folder, name, err) ? read_results(path, err) : NULL;
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
