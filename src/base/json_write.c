/* SPDX-License-Identifier: Apache-2.0 */
/* The layout is that of cJSON, in which files of results have always been written. */
#include "base/json_write.h"
#include "base/points.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

static void put(struct json_writer *w, const char *text)
{
    if (!invar_text_printf(&w->text, NULL, "%s", text))
        w->lost = true;
}

static void put_line(struct json_writer *w, int tabs)
{
    put(w, "\n");
    while (tabs-- > 0)
        put(w, "\t");
}

static void escape_byte(unsigned char c, char out[8])
{
    static const char special[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    const char *found = strchr(special, c);

    if (found)
        snprintf(out, 8, "\\%c", letter[found - special]);
    else
        snprintf(out, 8, c < 32 ? "\\u%04x" : "%c", c);
}

int json_character(const char *text)
{
    const int length = u8_mblen((const uint8_t *)text, strnlen(text, 4));

    return length > 0 ? length : 0;
}

/* The character that a text begins with, as it stands in JSON; the bytes that it took. */
static int escape(const char *text, char out[8])
{
    const int length = json_character(text);

    if (length == 1)
        escape_byte((unsigned char)*text, out);
    else if (length == 0)
        snprintf(out, 8, JSON_FOREIGN, (unsigned char)*text);
    else
        snprintf(out, 8, "%.*s", length, text);
    return length ? length : 1;
}

static void put_string(struct json_writer *w, const char *text)
{
    char piece[128] = "\"", next[8];
    size_t size = 1;

    while (*text) {
        text += escape(text, next);
        if (size + strlen(next) >= sizeof piece) {
            put(w, piece);
            size = 0;
        }
        size += (size_t)snprintf(piece + size, sizeof piece - size, "%s", next);
    }
    piece[size] = '\0';
    put(w, piece);
    put(w, "\"");
}

/* What stands before a value: a comma, its line, its name. */
static void begin(struct json_writer *w, const char *name)
{
    const bool first = !w->depth || !w->open[w->depth - 1].begun;

    if (w->depth)
        w->open[w->depth - 1].begun = true;
    if (!first)
        put(w, name || !w->formatted ? "," : ", ");
    if (!name)
        return;
    if (w->formatted)
        put_line(w, w->depth);
    put_string(w, name);
    put(w, w->formatted ? ":\t" : ":");
}

static void open_one(struct json_writer *w, const char *name, bool array)
{
    begin(w, name);
    put(w, array ? "[" : "{");
    if (w->depth == JSON_DEPTH) {
        w->lost = true;
        return;
    }
    w->open[w->depth].array = array;
    w->open[w->depth++].begun = false;
}

void json_open_object(struct json_writer *w, const char *name)
{
    open_one(w, name, false);
}

void json_open_array(struct json_writer *w, const char *name)
{
    open_one(w, name, true);
}

void json_close(struct json_writer *w)
{
    if (!w->depth) {
        w->lost = true;
        return;
    }
    const bool array = w->open[--w->depth].array;
    if (w->formatted && !array)
        put_line(w, w->depth);
    put(w, array ? "]" : "}");
}

static bool reads_back(const char *text, double value)
{
    const double read = strtod(text, NULL);

    return fabs(read - value) <= fmax(fabs(read), fabs(value)) * DBL_EPSILON;
}

void json_number(struct json_writer *w, const char *name, double value)
{
    NUMBERS_HAVE_POINTS();
    char text[32] = "null";

    begin(w, name);
    if (isfinite(value)) {
        snprintf(text, sizeof text, "%1.15g", value);
        if (!reads_back(text, value))
            snprintf(text, sizeof text, "%1.17g", value);
    }
    put(w, text);
}

void json_raw(struct json_writer *w, const char *name, const char *json)
{
    begin(w, name);
    put(w, json);
}

void json_bool(struct json_writer *w, const char *name, bool value)
{
    json_raw(w, name, value ? "true" : "false");
}

void json_null(struct json_writer *w, const char *name)
{
    json_raw(w, name, "null");
}

void json_text(struct json_writer *w, const char *name, const char *text)
{
    begin(w, name);
    if (text)
        put_string(w, text);
    else
        put(w, "null");
}

void json_numbers(struct json_writer *w, const char *name, const double *value, int64_t count)
{
    json_open_array(w, name);
    for (int64_t i = 0; i < count; i++)
        json_number(w, NULL, value[i]);
    json_close(w);
}

void json_texts(struct json_writer *w, const char *name, const char *const *text, int64_t count)
{
    json_open_array(w, name);
    for (int64_t i = 0; i < count; i++)
        json_text(w, NULL, text[i]);
    json_close(w);
}

bool json_written(const struct json_writer *w, const char *what, struct invar_error *err)
{
    return (!w->lost && !w->depth && w->text.data) ||
           invar_error_set(err, INVAR_ERROR_MEMORY,
                           "%s: there is not enough memory for its text, so nothing was written; free some and try "
                           "again",
                           what);
}

bool json_finish(struct json_writer *w, const char *what, struct invar_text *out, struct invar_error *err)
{
    const bool ok = json_written(w, what, err) && invar_text_printf(out, err, "%s\n", w->text.data);

    json_writer_free(w);
    return ok;
}

void json_writer_free(struct json_writer *w)
{
    invar_text_free(&w->text);
}
