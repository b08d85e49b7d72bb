/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.jsonl as columns. */
#include "report/run_series.h"
#include "invar/file.h"
#include "invar/memory.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const size_t largest_file = (size_t)1 << 29;
enum { MAX_SERIES = 1000 };

/* The column of a name, made with `capacity` rows of NAN where it is new; NULL with err. */
static struct report_series *column(struct report_run *run, const char *name, int64_t capacity, struct invar_error *err)
{
    struct report_series series = {0};
    void *items = run->series;
    for (int i = 0; i < run->series_count; ++i)
        if (!strcmp(run->series[i].name, name))
            return &run->series[i];
    if (run->series_count == MAX_SERIES) {
        invar_error_set(err, INVAR_ERROR_FORMAT, "metrics.jsonl: more than %d keys; metrics have some dozens",
                        MAX_SERIES);
        return NULL;
    }
    if (!invar_grow(&items, run->series_count, &run->series_capacity, sizeof *run->series, err))
        return NULL;
    run->series = items;
    series.name = invar_strdup(name, err);
    series.value = invar_alloc((size_t)capacity, sizeof *series.value, err);
    run->series[run->series_count++] = series;
    if (!series.name || !series.value)
        return NULL;
    for (int64_t i = 0; i < capacity; ++i)
        series.value[i] = NAN;
    return &run->series[run->series_count - 1];
}

/* False without err: the line is none of ours. */
static bool add_row(struct report_run *run, const char *line, size_t size, int64_t capacity, struct invar_error *err)
{
    cJSON *object = cJSON_ParseWithLength(line, size);
    const cJSON *step = cJSON_GetObjectItemCaseSensitive(object, "step"), *item;
    bool ok = cJSON_IsObject(object) && cJSON_IsNumber(step) && step->valuedouble >= 0 && step->valuedouble < 9e15;
    if (ok && run->rows == 0)
        ok = column(run, "step", capacity, err) != NULL;
    for (item = object ? object->child : NULL; ok && item; item = item->next) {
        struct report_series *series = cJSON_IsNumber(item) ? column(run, item->string, capacity, err) : NULL;
        if (series)
            series->value[run->rows] = item->valuedouble;
        ok = series || !cJSON_IsNumber(item);
    }
    run->rows += ok;
    cJSON_Delete(object);
    return ok;
}

static int64_t count_lines(const struct invar_bytes *bytes)
{
    int64_t count = 1;
    for (size_t i = 0; i < bytes->size; ++i)
        count += bytes->data[i] == '\n';
    return count;
}

bool report_series_read(struct report_run *run, const char *path, struct invar_error *err)
{
    struct invar_bytes bytes = {0};
    bool ok = false;
    if (!invar_file_read(&bytes, path, largest_file, err))
        return false;
    const char *text = (const char *)bytes.data, *end = text + bytes.size;
    const int64_t capacity = count_lines(&bytes);
    for (int64_t number = 1; text < end; ++number) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        if (!line_end)
            break;
        if (!add_row(run, text, (size_t)(line_end - text), capacity, err)) {
            invar_error_set(err, INVAR_ERROR_FORMAT,
                            "%s: line %" PRId64 " is no metrics line (a JSON object with a step), so the curves end "
                            "before it",
                            path, number);
            goto done;
        }
        text = line_end + 1;
    }
    ok = true;
done:
    invar_bytes_free(&bytes);
    return ok;
}

void report_series_free(struct report_run *run)
{
    for (int i = 0; i < run->series_count; ++i) {
        invar_free(run->series[i].name);
        invar_free(run->series[i].value);
    }
    invar_free(run->series);
}
