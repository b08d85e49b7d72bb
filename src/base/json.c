/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/json_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

static _Thread_local bool lost;

static void *allocate(size_t size)
{
    void *memory = malloc(size);
    if (!memory)
        lost = true;
    return memory;
}

static void use_allocate(void)
{
    cJSON_Hooks hooks = {allocate, free};
    cJSON_InitHooks(&hooks);
}

/* Who uses the library without the command has it, too. */
__attribute__((constructor)) static void at_start(void)
{
    use_allocate();
}

void json_begin(void)
{
    use_allocate();
    lost = false;
}

void json_lost(void)
{
    lost = true;
}

bool json_whole(const char *what, struct invar_error *err)
{
    return !lost || invar_error_set(err, INVAR_ERROR_MEMORY,
                                    "%s: there was not enough memory for all of it, so it is not complete and was not "
                                    "stored; free some and try again",
                                    what);
}

/* The same without bytes that are no UTF-8, which cJSON leaves as they are: they stand in strings alone. */
static char *replace_foreign(char *text)
{
    const size_t size = strlen(text);
    const uint8_t *first = u8_check((const uint8_t *)text, size);

    if (!first)
        return text;
    char *out = allocate(5 * size + 1), *to = out;
    for (const char *from = text; out && *from;) {
        const int length = json_character(from);
        to += length ? snprintf(to, 5, "%.*s", length, from) : snprintf(to, 6, JSON_FOREIGN, (unsigned char)*from);
        from += length ? length : 1;
    }
    free(text);
    return out;
}

char *json_print(const cJSON *root, bool formatted, const char *what, struct invar_error *err)
{
    if (!root)
        lost = true;
    if (!json_whole(what, err))
        return NULL;
    char *text = formatted ? cJSON_Print(root) : cJSON_PrintUnformatted(root);
    if (text)
        text = replace_foreign(text);
    if (!text)
        invar_error_set(err, INVAR_ERROR_MEMORY,
                        "%s: there is not enough memory for its text, so nothing was written; free some and try again",
                        what);
    return text;
}

/* No fewer than there are: each stands behind a bracket or a comma, or is the whole. */
static size_t count_values(const char *text, size_t size)
{
    size_t count = 1;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        const char c = text[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted)
            count += c == ',' || c == '[' || c == '{';
    }
    return count;
}

cJSON *json_parse(const char *text, size_t size, size_t most, const char *what, const char *advice,
                  struct invar_error *err)
{
    const bool before = lost;
    const char *end = NULL;
    if (count_values(text, size) > most) {
        invar_error_set(err, INVAR_ERROR_FORMAT, "%s: has more than %zu values, the most that are expected here%s",
                        what, most, advice);
        return NULL;
    }
    lost = false;
    cJSON *root = cJSON_ParseWithLengthOpts(text, size, &end, false);
    const bool starved = lost;
    lost = before;
    while (root && end < text + size && *end && strchr(" \t\r\n", *end))
        end++;
    if (root && end == text + size)
        return root;
    cJSON_Delete(root);
    if (starved)
        invar_error_set(err, INVAR_ERROR_MEMORY, "%s: there is not enough memory to read it; free some and try again",
                        what);
    else
        invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is torn or no JSON%s", what, advice);
    return NULL;
}
