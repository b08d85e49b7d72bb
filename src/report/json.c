/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as the page takes it: short numbers, and nothing that could end a script element. */
#include "report/json.h"
#include "base/json.h"
#include "invar/memory.h"
#include "invar/options.h"
#include "base/points.h"

#include <math.h>
#include <string.h>

/* Numbers as one raw text: an item a number would take a hundred times the memory. */
static cJSON *raw(struct invar_text *text, bool ok)
{
    cJSON *array = ok && invar_text_printf(text, NULL, "]") ? cJSON_CreateRaw(text->data) : NULL;

    if (!array)
        json_lost();
    invar_text_free(text);
    return array;
}

static bool put_real(struct invar_text *text, double value)
{
    NUMBERS_HAVE_POINTS();
    const char *comma = text->size > 1 ? "," : "";

    return isfinite(value) ? invar_text_printf(text, NULL, "%s%.6g", comma, value)
                           : invar_text_printf(text, NULL, "%snull", comma);
}

cJSON *json_reals(const double *value, int64_t count, int64_t stride)
{
    struct invar_text text = {0};
    bool ok = invar_text_printf(&text, NULL, "[");

    for (int64_t i = 0; ok && i < count; i++)
        ok = put_real(&text, value[i * stride]);
    return raw(&text, ok);
}

cJSON *json_floats(const float *value, int64_t count, int64_t stride)
{
    struct invar_text text = {0};
    bool ok = invar_text_printf(&text, NULL, "[");

    for (int64_t i = 0; ok && i < count; i++)
        ok = put_real(&text, (double)value[i * stride]);
    return raw(&text, ok);
}

cJSON *json_integers(const int64_t *value, int64_t count)
{
    struct invar_text text = {0};
    bool ok = invar_text_printf(&text, NULL, "[");

    for (int64_t i = 0; ok && i < count; i++)
        ok = invar_text_printf(&text, NULL, "%s%lld", i ? "," : "", (long long)value[i]);
    return raw(&text, ok);
}

cJSON *json_absent(const char *sentence)
{
    cJSON *object = cJSON_CreateObject();

    cJSON_AddStringToObject(object, "absent", sentence);
    return object;
}

/* These three occur in texts alone, where \u00XX says the same. */
static const char *escape(char c)
{
    return c == '<' ? "\\u003c" : c == '>' ? "\\u003e" : c == '&' ? "\\u0026" : NULL;
}

char *json_for_script(const cJSON *object, struct invar_error *err)
{
    size_t size = 1, at = 0;

    char *plain = json_print(object, false, "the report", err);
    if (!plain)
        return NULL;
    for (const char *c = plain; *c; c++)
        size += escape(*c) ? 6 : 1;
    char *out = invar_alloc(size, 1, err);
    for (const char *c = plain; out && *c; c++) {
        const char *escaped = escape(*c);
        if (escaped) {
            memcpy(out + at, escaped, 6);
            at += 6;
        } else {
            out[at++] = *c;
        }
    }
    cJSON_free(plain);
    return out;
}
