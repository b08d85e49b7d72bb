/* SPDX-License-Identifier: Apache-2.0 */
/* TensorBoard events: protobuf messages (event.proto) in TFRecord frames, little-endian. */
#include "report/events.h"
#include "invar/memory.h"
#include "report/event.pb-c.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, MAX_NAMES = 10000 };

struct event_file {
    FILE *stream;
    char path[PATH_SIZE];
    unsigned char *buffer; /* a packed message; grows as needed */
    size_t capacity;
    Invar__Value *values; /* [capacity_values], and pointers to them */
    Invar__Value **list;
    int capacity_values;
};

static double wall_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void put_little_endian(unsigned char *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; ++i)
        out[i] = (unsigned char)(value >> (8 * i));
}

static bool write_failed(const struct event_file *file, struct invar_error *err)
{
    return invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be written: %s; free space and resume the run",
                           file->path, strerror(errno));
}

/* length, masked CRC of length, data, masked CRC of data */
static bool write_record(struct event_file *file, size_t size, struct invar_error *err)
{
    unsigned char head[12], tail[4];
    put_little_endian(head, size, 8);
    put_little_endian(head + 8, crc32c_mask(crc32c(head, 8)), 4);
    put_little_endian(tail, crc32c_mask(crc32c(file->buffer, size)), 4);
    if (fwrite(head, 1, sizeof head, file->stream) != sizeof head ||
        fwrite(file->buffer, 1, size, file->stream) != size ||
        fwrite(tail, 1, sizeof tail, file->stream) != sizeof tail || fflush(file->stream))
        return write_failed(file, err);
    return true;
}

static bool write_event(struct event_file *file, const Invar__Event *event, struct invar_error *err)
{
    size_t size = invar__event__get_packed_size(event);
    if (size > file->capacity) {
        invar_free(file->buffer);
        file->capacity = 0;
        file->buffer = invar_alloc(2, size, err);
        if (!file->buffer)
            return false;
        file->capacity = 2 * size;
    }
    invar__event__pack(event, file->buffer);
    return write_record(file, size, err);
}

/* A name that no file has yet; several runs of a second in one folder count on. */
static bool open_new(struct event_file *file, const char *folder, struct invar_error *err)
{
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) || !host[0])
        strcpy(host, "localhost");
    for (int i = 0; i < MAX_NAMES && !file->stream; ++i) {
        char suffix[16] = "";
        if (i)
            snprintf(suffix, sizeof suffix, ".%d", i);
        int length = snprintf(file->path, sizeof file->path, "%s/events.out.tfevents.%010lld.%s.%ld%s", folder,
                              (long long)time(NULL), host, (long)getpid(), suffix);
        if (length < 0 || (size_t)length >= sizeof file->path)
            return invar_error_set(err, INVAR_ERROR_USAGE, "%s: the name of the folder is too long", folder);
        file->stream = fopen(file->path, "wbx");
        if (!file->stream && errno != EEXIST)
            break;
    }
    if (!file->stream)
        return invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be created: %s", file->path, strerror(errno));
    return true;
}

struct event_file *event_file_create(const char *folder, struct invar_error *err)
{
    char version[] = "brain.Event:2";
    Invar__Event event = INVAR__EVENT__INIT;
    struct event_file *file = invar_alloc(1, sizeof *file, err);
    if (!file)
        return NULL;
    event.wall_time = wall_time();
    event.what_case = INVAR__EVENT__WHAT_FILE_VERSION;
    event.file_version = version;
    if (open_new(file, folder, err) && write_event(file, &event, err))
        return file;
    event_file_close(file);
    return NULL;
}

void event_file_close(struct event_file *file)
{
    if (!file)
        return;
    if (file->stream)
        fclose(file->stream);
    invar_free(file->buffer);
    invar_free(file->values);
    invar_free(file->list);
    invar_free(file);
}

static bool reserve_values(struct event_file *file, int count, struct invar_error *err)
{
    if (count <= file->capacity_values)
        return true;
    invar_free(file->values);
    invar_free(file->list);
    file->capacity_values = 0;
    file->values = invar_alloc((size_t)count, sizeof *file->values, err);
    file->list = invar_alloc((size_t)count, sizeof *file->list, err);
    if (!file->values || !file->list)
        return false;
    file->capacity_values = count;
    return true;
}

bool event_file_write(struct event_file *file, int64_t step, const char *const *names, const double *values, int count,
                      struct invar_error *err)
{
    Invar__Summary summary = INVAR__SUMMARY__INIT;
    Invar__Event event = INVAR__EVENT__INIT;
    if (!reserve_values(file, count, err))
        return false;
    for (int i = 0; i < count; ++i) {
        if (!isfinite(values[i]))
            continue;
        Invar__Value *value = &file->values[summary.n_value];
        invar__value__init(value);
        value->tag = (char *)(uintptr_t)names[i]; /* packing only reads it */
        value->value_case = INVAR__VALUE__VALUE_SIMPLE_VALUE;
        value->simple_value = (float)values[i];
        file->list[summary.n_value++] = value;
    }
    summary.value = file->list;
    event.wall_time = wall_time();
    event.step = step;
    event.what_case = INVAR__EVENT__WHAT_SUMMARY;
    event.summary = &summary;
    return write_event(file, &event, err);
}
