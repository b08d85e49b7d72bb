/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.jsonl, and the same numbers for TensorBoard. */
#include "invar/file.h"
#include "invar/memory.h"
#include "invar/report.h"
#include "report/events.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };
static const size_t largest_file = (size_t)1 << 29;

struct invar_metrics {
    FILE *stream;
    struct event_file *events;
    char path[PATH_SIZE];
};

/* The step of a line, or -1 when it is no line of ours. */
static int64_t line_step(const char *line, size_t size)
{
    int64_t step = -1;
    cJSON *object = cJSON_ParseWithLength(line, size);
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, "step");
    if (cJSON_IsObject(object) && cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < 9e15)
        step = (int64_t)item->valuedouble;
    cJSON_Delete(object);
    return step;
}

/* How many bytes of the file stay: the lines up to from_step. A last line that is torn goes; any other line that is not
 * ours means that the file is somebody else's. */
static bool bytes_to_keep(const char *path, const struct invar_bytes *bytes, int64_t from_step, size_t *keep,
                          struct invar_error *err)
{
    const char *text = (const char *)bytes->data;
    size_t at = 0;
    for (int64_t number = 1; at < bytes->size; ++number) {
        const char *end = memchr(text + at, '\n', bytes->size - at);
        size_t size = end ? (size_t)(end - text) - at : bytes->size - at;
        int64_t step = end ? line_step(text + at, size) : -1;
        bool last = !end || at + size + 1 == bytes->size;
        if (step < 0 && !last)
            return invar_error_set(err, INVAR_ERROR_FORMAT,
                                   "%s: line %" PRId64 " is no metrics line (a JSON object with a step); move the file "
                                   "away to go on without it",
                                   path, number);
        if (step < 0 || step > from_step)
            break;
        at += size + 1;
    }
    *keep = at;
    return true;
}

static bool cut(const char *path, int64_t from_step, struct invar_error *err)
{
    struct invar_bytes bytes = {0};
    size_t keep = 0;
    bool ok = false;
    if (!invar_path_exists(path))
        return true;
    if (!invar_file_read(&bytes, path, largest_file, err) || !bytes_to_keep(path, &bytes, from_step, &keep, err))
        goto done;
    if (keep != bytes.size && truncate(path, (off_t)keep)) {
        invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be cut after step %" PRId64 ": %s", path, from_step,
                        strerror(errno));
        goto done;
    }
    ok = true;
done:
    invar_bytes_free(&bytes);
    return ok;
}

struct invar_metrics *invar_metrics_open(const char *folder, int64_t from_step, struct invar_error *err)
{
    struct invar_metrics *metrics = invar_alloc(1, sizeof *metrics, err);
    if (!metrics)
        return NULL;
    if (!invar_path_join(metrics->path, sizeof metrics->path, folder, "metrics.jsonl", err) ||
        !cut(metrics->path, from_step, err))
        goto failed;
    metrics->stream = fopen(metrics->path, "ab");
    if (!metrics->stream) {
        invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be opened for writing: %s", metrics->path, strerror(errno));
        goto failed;
    }
    metrics->events = event_file_create(folder, err);
    if (metrics->events)
        return metrics;
failed:
    invar_metrics_close(metrics);
    return NULL;
}

void invar_metrics_close(struct invar_metrics *metrics)
{
    if (!metrics)
        return;
    if (metrics->stream)
        fclose(metrics->stream);
    event_file_close(metrics->events);
    invar_free(metrics);
}

/* Digits that read back as the same double. */
static void put_number(FILE *stream, double value)
{
    char text[40] = "null";
    if (isfinite(value)) {
        int digits = 15; /* fewer come out where the number has fewer */
        do
            snprintf(text, sizeof text, "%.*g", digits, value);
        while (strtod(text, NULL) != value && ++digits <= 17);
    }
    fputs(text, stream);
}

static void put_name(FILE *stream, const char *name)
{
    fputc('"', stream);
    for (; *name; ++name) {
        if (*name == '"' || *name == '\\')
            fprintf(stream, "\\%c", *name);
        else if ((unsigned char)*name < 0x20)
            fprintf(stream, "\\u%04x", (unsigned)*name);
        else
            fputc(*name, stream);
    }
    fputs("\":", stream);
}

bool invar_metrics_write(struct invar_metrics *metrics, int64_t step, double epoch, const char *const *names,
                         const double *values, int count, struct invar_error *err)
{
    FILE *stream = metrics->stream;
    errno = 0;
    fprintf(stream, "{\"step\":%" PRId64 ",\"epoch\":", step);
    put_number(stream, epoch);
    for (int i = 0; i < count; ++i) {
        fputc(',', stream);
        put_name(stream, names[i]);
        put_number(stream, values[i]);
    }
    fputs("}\n", stream);
    if (fflush(stream) || ferror(stream))
        return invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be written: %s; free space and resume the run",
                               metrics->path, strerror(errno));
    return event_file_write(metrics->events, step, names, values, count, err);
}

struct event_file *metrics_events(struct invar_metrics *metrics)
{
    return metrics->events;
}

bool invar_metrics_settings(struct invar_metrics *metrics, const char *recipe, struct invar_error *err)
{
    struct report_setting *settings = NULL;
    int count = 0, capacity = 0;
    char group[128];
    const char *name = "run";
    uint32_t sum = 0;
    struct invar_node *root = invar_node_parse(recipe, strlen(recipe), "recipe", err);
    bool ok = root && report_settings_add(&settings, &count, &capacity, root, err);

    for (int i = 0; ok && i < count; ++i) {
        if (!strcmp(settings[i].key, "name"))
            name = settings[i].value;
        if (!strcmp(settings[i].key, "training.seed"))
            continue;
        sum = invar_crc32(sum, settings[i].key, strlen(settings[i].key));
        sum = invar_crc32(sum, settings[i].value, strlen(settings[i].value));
    }
    snprintf(group, sizeof group, "%.100s %08x", name, (unsigned)sum);
    ok = ok && event_file_settings(metrics->events, group, settings, count, err);
    report_settings_free(settings, count);
    invar_node_free(root);
    return ok;
}
