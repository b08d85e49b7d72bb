/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

static _Thread_local bool lost;

static void *allocate(size_t size)
{
    void *memory = malloc(size);
    if (!memory)
        lost = true;
    return memory;
}

void json_begin(void)
{
    cJSON_Hooks hooks = {allocate, free};
    cJSON_InitHooks(&hooks);
    lost = false;
}

void json_lost(void)
{
    lost = true;
}

bool json_whole(const char *what, struct invar_error *err)
{
    return !lost ||
           invar_error_set(
               err, INVAR_ERROR_MEMORY,
               "%s: there is not enough memory for all of it, so nothing was written; free some and try again", what);
}
