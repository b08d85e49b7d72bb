/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.jsonl, and the same numbers for TensorBoard. */
#include "base/json.h"
#include "invar/expert/file.h"
#include "invar/memory.h"
#include "base/points.h"
#include "invar/metrics.h"
#include "run/events.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };
static const size_t largest_file = (size_t)1 << 29;

struct invar_metrics {
    FILE *stream;
    struct event_file *events;
    char path[PATH_SIZE];
};

/* Of a line: *step, or -1 when it is no line of ours. False with err when memory is too short to tell. */
static bool line_step(const char *path, const char *line, size_t size, int64_t *step, struct invar_error *err)
{
    struct invar_error why = {0};
    cJSON *object = json_parse(line, size, JSON_MOST_VALUES, path, "", &why);
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, "step");
    const bool ours =
        cJSON_IsObject(object) && cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < 9e15;
    *step = ours ? (int64_t)item->valuedouble : -1;
    cJSON_Delete(object);
    return object || why.code != INVAR_ERROR_MEMORY || invar_error_set(err, why.code, "%s", why.message);
}

/* What is left of a line of ours whose writing was cut short: its beginning, or the zeros that some file systems have
 * in its place after a loss of power. */
static bool is_torn(const char *line, size_t size)
{
    static const char beginning[] = "{\"step\":";
    const size_t length = size < sizeof beginning - 1 ? size : sizeof beginning - 1;
    size_t zeros = 0;
    while (zeros < size && line[zeros] == 0)
        zeros++;
    return zeros == size || memcmp(line, beginning, length) == 0;
}

/* How many bytes of the file stay: the lines up to from_step. A last line that is torn goes; any other line that is not
 * ours means that the file is somebody else's. */
static bool bytes_to_keep(const char *path, const struct invar_bytes *bytes, int64_t from_step, size_t *keep,
                          struct invar_error *err)
{
    const char *text = (const char *)bytes->data;
    size_t at = 0;
    for (int64_t number = 1; at < bytes->size; number++) {
        const char *end = memchr(text + at, '\n', bytes->size - at);
        size_t size = end ? (size_t)(end - text) - at : bytes->size - at;
        int64_t step = -1;
        if (end && !line_step(path, text + at, size, &step, err))
            return false;
        if (step < 0 && (end || !is_torn(text + at, size)))
            return invar_error_set(err, INVAR_ERROR_FORMAT,
                                   "%s: line %lld is no metrics line (a JSON object with a step); move the file "
                                   "away to go on without it",
                                   path, (long long)number);
        if (step < 0 || step > from_step)
            break;
        at += size + 1;
    }
    *keep = at;
    return true;
}

/* Cuts what is behind from_step. */
static bool cut(const char *path, int descriptor, size_t size, int64_t from_step, struct invar_error *err)
{
    struct invar_bytes bytes = {0};
    size_t keep = 0;
    bool ok = false;
    if (size > largest_file)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: larger than %zu bytes; move it away to go on without it",
                               path, largest_file);
    if (!invar_file_read(&bytes, path, size, err))
        return false;
    if (bytes.size != size)
        invar_error_set(err, INVAR_ERROR_FORMAT,
                        "%s: is packed, or changes while it is read: unpack it, or move it away to go on without it",
                        path);
    else if (bytes_to_keep(path, &bytes, from_step, &keep, err))
        ok = keep == size || ftruncate(descriptor, (off_t)keep) == 0 ||
             invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be cut after step %lld: %s", path, (long long)from_step,
                             strerror(errno));
    invar_bytes_free(&bytes);
    return ok;
}

/* A file of the folder itself: what a link names may be anybody's. */
static bool open_lines(struct invar_metrics *metrics, int64_t from_step, struct invar_error *err)
{
    const char *path = metrics->path;
    struct stat status;
    const int descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (descriptor < 0)
        return invar_error_set(err, INVAR_ERROR_FILE,
                               errno == ELOOP ? "%s: is a link, which is not followed for writing (%s); put the file "
                                                "itself in its place, or move it away"
                                              : "%s: cannot be opened for writing: %s",
                               path, strerror(errno));
    if (fstat(descriptor, &status) != 0)
        invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be read: %s", path, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        invar_error_set(err, INVAR_ERROR_FILE, "%s: is no regular file; move it away", path);
    else if (cut(path, descriptor, (size_t)status.st_size, from_step, err)) {
        metrics->stream = fdopen(descriptor, "ab");
        if (metrics->stream)
            return true;
        invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be opened for writing: %s", path, strerror(errno));
    }
    close(descriptor);
    return false;
}

struct invar_metrics *invar_metrics_open(const char *folder, int64_t from_step, struct invar_error *err)
{
    struct invar_metrics *metrics = invar_alloc(1, sizeof *metrics, err);
    if (!metrics)
        return NULL;
    if (invar_path_join(metrics->path, sizeof metrics->path, folder, "metrics.jsonl", err) &&
        open_lines(metrics, from_step, err))
        metrics->events = event_file_create(folder, err);
    if (metrics->events)
        return metrics;
    invar_metrics_close(metrics);
    return NULL;
}

bool invar_metrics_sync(struct invar_metrics *metrics, struct invar_error *err)
{
    if (fflush(metrics->stream) || fsync(fileno(metrics->stream)))
        return invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be written: %s; free space and resume the run",
                               metrics->path, strerror(errno));
    return event_file_sync(metrics->events, err);
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
    NUMBERS_HAVE_POINTS();
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
    for (; *name; name++) {
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
    fprintf(stream, "{\"step\":%lld,\"epoch\":", (long long)step);
    put_number(stream, epoch);
    for (int i = 0; i < count; i++) {
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
    struct run_setting *settings = NULL;
    int count = 0, capacity = 0;
    char group[128];
    const char *name = "run";
    uint32_t sum = 0;
    struct invar_node *root = invar_node_parse(recipe, strlen(recipe), "recipe", err);
    bool ok = root && run_settings_add(&settings, &count, &capacity, root, err);

    for (int i = 0; ok && i < count; i++) {
        if (strcmp(settings[i].key, "name") == 0)
            name = settings[i].value;
        if (strcmp(settings[i].key, "training.seed") == 0)
            continue;
        sum = invar_crc32(sum, settings[i].key, strlen(settings[i].key));
        sum = invar_crc32(sum, settings[i].value, strlen(settings[i].value));
    }
    snprintf(group, sizeof group, "%.100s %08x", name, (unsigned)sum);
    ok = ok && event_file_settings(metrics->events, group, settings, count, err);
    run_settings_free(settings, count);
    invar_node_free(root);
    return ok;
}
