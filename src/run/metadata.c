/* SPDX-License-Identifier: Apache-2.0 */
#include "run/metadata.h"
#include "base/safetensors.h"
#include "run/results.h"

#include <stdlib.h>
#include <string.h>

/* Whoever wrote the file, what is no list of objects says nothing; false is want of memory. */
static bool read_machines(struct run_metadata *out, const char *text, const char *path, struct invar_error *err)
{
    struct invar_error why = {0};
    cJSON *list = text ? json_parse(text, strlen(text), JSON_MOST_VALUES, path, "", &why) : NULL;
    const int64_t count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    struct invar_measured_on *item = count ? json_room_take(&out->room, count, sizeof *item) : NULL;
    const cJSON *from;
    int64_t objects = 0;

    cJSON_ArrayForEach(from, list) objects += cJSON_IsObject(from);
    if (item && objects == count) {
        int64_t i = 0;
        cJSON_ArrayForEach(from, list) json_table_read(&run_machine_table, &item[i++], from, &out->room);
        out->machines.count = count;
        out->machines.item = item;
    }
    cJSON_Delete(list);
    return why.code != INVAR_ERROR_MEMORY || invar_error_set(err, why.code, "%s", why.message);
}

bool run_metadata_read(struct run_metadata *out, const char *path, struct invar_error *err)
{
    struct invar_safetensors *file = NULL;

    *out = (struct run_metadata){0};
    if (!safetensors_read_metadata(&file, path, err))
        return false;
    out->version = json_room_text(&out->room, invar_safetensors_metadata(file, "invar.version"));
    out->identity = json_room_text(&out->room, invar_safetensors_metadata(file, "invar.identity"));
    const char *steps = invar_safetensors_metadata(file, "invar.steps");
    out->steps = steps ? strtoll(steps, NULL, 10) : 0;
    const bool ok = read_machines(out, invar_safetensors_metadata(file, "invar.machine"), path, err);
    invar_safetensors_free(file);
    return ok && json_room_whole(&out->room, path, err);
}

void run_metadata_free(struct run_metadata *metadata)
{
    json_room_free(&metadata->room);
    *metadata = (struct run_metadata){0};
}
