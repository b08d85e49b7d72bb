/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.jsonl as columns. */
#include "report/run_series.h"
#include "base/json.h"
#include "invar/expert/file.h"
#include "invar/memory.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

/* Of a file as it lies there, and of one that is packed. */
static const size_t largest_file = (size_t)1 << 29, largest_packed = (size_t)1 << 26;
static const int64_t most_cells = (int64_t)1 << 24;
enum { MAX_SERIES = 1000, MOST_VALUES = 20000, FIRST_ROWS = 64 };

/* Room for that many keys of that many rows. */
static bool check_cells(int64_t keys, int64_t rows, struct invar_error *err)
{
    return keys * rows <= most_cells ||
           invar_error_set(err, INVAR_ERROR_FORMAT,
                           "has more than %lld numbers before it (keys x lines), the most that are read",
                           (long long)most_cells);
}

static double *resized(const double *old, int64_t rows, int64_t capacity, struct invar_error *err)
{
    double *value = invar_alloc((size_t)capacity, sizeof *value, err);
    for (int64_t i = 0; value && i < capacity; i++)
        value[i] = i < rows ? old[i] : (double)NAN;
    return value;
}

/* Every key has room for the next row. */
static bool reserve_row(struct report_run *run, struct invar_error *err)
{
    if (run->rows < run->row_capacity)
        return true;
    if (!check_cells(run->series_count, run->rows + 1, err))
        return false;
    const int64_t most = most_cells / (run->series_count > 0 ? run->series_count : 1);
    const int64_t wanted = run->rows > 0 ? 2 * run->rows : FIRST_ROWS, capacity = wanted < most ? wanted : most;
    for (int i = 0; i < run->series_count; i++) {
        double *value = resized(run->series[i].value, run->rows, capacity, err);
        if (!value)
            return false;
        invar_free(run->series[i].value);
        run->series[i].value = value;
    }
    run->row_capacity = capacity;
    return true;
}

/* The column of a name, made of NAN where it is new; NULL with err. */
static struct report_series *column(struct report_run *run, const char *name, struct invar_error *err)
{
    struct report_series series = {0};
    void *items = run->series;
    for (int i = 0; i < run->series_count; i++)
        if (strcmp(run->series[i].name, name) == 0)
            return &run->series[i];
    if (run->series_count == MAX_SERIES) {
        invar_error_set(err, INVAR_ERROR_FORMAT, "has more than %d keys with those before it; metrics have some dozens",
                        MAX_SERIES);
        return NULL;
    }
    if (!check_cells(run->series_count + 1, run->rows + 1, err) ||
        !invar_grow(&items, run->series_count, &run->series_capacity, sizeof *run->series, err))
        return NULL;
    run->series = items;
    series.name = invar_strdup(name, err);
    series.value = resized(NULL, 0, run->row_capacity, err);
    run->series[run->series_count++] = series;
    return series.name && series.value ? &run->series[run->series_count - 1] : NULL;
}

static bool add_numbers(struct report_run *run, const cJSON *object, struct invar_error *err)
{
    const cJSON *item;
    if (!reserve_row(run, err) || (run->rows == 0 && !column(run, "step", err)))
        return false;
    cJSON_ArrayForEach(item, object)
    {
        struct report_series *series = cJSON_IsNumber(item) ? column(run, item->string, err) : NULL;
        if (series)
            series->value[run->rows] = item->valuedouble;
        else if (cJSON_IsNumber(item))
            return false;
    }
    run->rows++;
    return true;
}

static bool add_row(struct report_run *run, const char *line, size_t size, struct invar_error *err)
{
    struct invar_error why = {0};
    cJSON *object = json_parse(line, size, MOST_VALUES, "metrics.jsonl", "", &why);
    const cJSON *step = cJSON_GetObjectItemCaseSensitive(object, "step");
    const bool ours =
        cJSON_IsObject(object) && cJSON_IsNumber(step) && step->valuedouble >= 0 && step->valuedouble < 9e15;
    if (why.code == INVAR_ERROR_MEMORY)
        invar_error_set(err, why.code, "%s", why.message);
    else if (!ours)
        invar_error_set(err, INVAR_ERROR_FORMAT, "is no metrics line (a JSON object with a step)");
    const bool ok = ours && add_numbers(run, object, err);
    cJSON_Delete(object);
    return ok;
}

/* What a file may hold once it is unpacked. */
static size_t limit_of(const char *path)
{
    struct stat status;
    const size_t size = stat(path, &status) == 0 && status.st_size > 0 ? (size_t)status.st_size : 0;
    return size < largest_packed ? largest_packed : size < largest_file ? size : largest_file;
}

bool report_series_read(struct report_run *run, const char *path, struct invar_error *err)
{
    struct invar_bytes bytes = {0};
    bool ok = true;
    if (!invar_file_read(&bytes, path, limit_of(path), err))
        return false;
    const char *text = (const char *)bytes.data, *end = text + bytes.size;
    for (int64_t number = 1; ok && text < end; number++) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        struct invar_error why = {0};
        if (!line_end)
            break;
        ok = add_row(run, text, (size_t)(line_end - text), &why);
        if (!ok && why.code == INVAR_ERROR_MEMORY)
            invar_error_set(err, why.code, "%s", why.message);
        else if (!ok)
            invar_error_set(err, INVAR_ERROR_FORMAT, "%s: line %lld %s, so the curves end before it", path,
                            (long long)number, why.message);
        text = line_end + 1;
    }
    invar_bytes_free(&bytes);
    return ok;
}

void report_series_free(struct report_run *run)
{
    for (int i = 0; i < run->series_count; i++) {
        invar_free(run->series[i].name);
        invar_free(run->series[i].value);
    }
    invar_free(run->series);
}
