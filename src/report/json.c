/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as the page takes it: short numbers, and nothing that could end a script element. */
#include "report/json.h"
#include "invar/memory.h"
#include "base/points.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void write_short(struct json_writer *w, double value)
{
    NUMBERS_HAVE_POINTS();
    char text[32] = "null";

    if (isfinite(value))
        snprintf(text, sizeof text, "%.6g", value);
    json_raw(w, NULL, text);
}

void json_reals(struct json_writer *w, const char *name, const double *value, int64_t count, int64_t stride)
{
    json_open_array(w, name);
    for (int64_t i = 0; i < count; i++)
        write_short(w, value[i * stride]);
    json_close(w);
}

void json_floats(struct json_writer *w, const char *name, const float *value, int64_t count, int64_t stride)
{
    json_open_array(w, name);
    for (int64_t i = 0; i < count; i++)
        write_short(w, (double)value[i * stride]);
    json_close(w);
}

void json_integers(struct json_writer *w, const char *name, const int64_t *value, int64_t count)
{
    json_open_array(w, name);
    for (int64_t i = 0; i < count; i++)
        json_number(w, NULL, (double)value[i]);
    json_close(w);
}

void json_absent(struct json_writer *w, const char *name, const char *sentence)
{
    json_open_object(w, name);
    json_text(w, "absent", sentence);
    json_close(w);
}

char *json_take(struct json_writer *w, struct invar_error *err)
{
    char *text = json_written(w, "the report", err) ? invar_strdup(w->text.data, err) : NULL;

    json_writer_free(w);
    return text;
}

/* These three occur in texts alone, where \u00XX says the same. */
static const char *escape(char c)
{
    return c == '<' ? "\\u003c" : c == '>' ? "\\u003e" : c == '&' ? "\\u0026" : NULL;
}

char *json_for_script(const char *json, struct invar_error *err)
{
    size_t size = 1, at = 0;

    for (const char *c = json; *c; c++)
        size += escape(*c) ? 6 : 1;
    char *out = invar_alloc(size, 1, err);
    for (const char *c = json; out && *c; c++) {
        const char *escaped = escape(*c);
        if (escaped) {
            memcpy(out + at, escaped, 6);
            at += 6;
        } else {
            out[at++] = *c;
        }
    }
    return out;
}
