/* SPDX-License-Identifier: Apache-2.0 */
/* TensorBoard events: protobuf messages (event.proto) in TFRecord frames, little-endian. */
#include "run/events.h"
#include "invar/memory.h"
#include "run/event.pb-c.h"
#include "base/points.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
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
    for (int i = 0; i < bytes; i++)
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

static bool write_summary(struct event_file *file, int64_t step, Invar__Summary *summary, struct invar_error *err)
{
    Invar__Event event = INVAR__EVENT__INIT;
    event.wall_time = wall_time();
    event.step = step;
    event.what_case = INVAR__EVENT__WHAT_SUMMARY;
    event.summary = summary;
    return write_event(file, &event, err);
}

/* A name that no file has yet; several runs of a second in one folder count on. */
static bool open_new(struct event_file *file, const char *folder, struct invar_error *err)
{
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) || !host[0])
        strcpy(host, "localhost");
    for (int i = 0; i < MAX_NAMES && !file->stream; i++) {
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

bool event_file_sync(struct event_file *file, struct invar_error *err)
{
    return (!fflush(file->stream) && !fsync(fileno(file->stream))) || write_failed(file, err);
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
    if (!reserve_values(file, count, err))
        return false;
    for (int i = 0; i < count; i++) {
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
    return write_summary(file, step, &summary, err);
}

bool event_file_picture(struct event_file *file, int64_t step, const char *tag, const uint8_t *encoded, size_t size,
                        int height, int width, int channels, struct invar_error *err)
{
    Invar__Image image = INVAR__IMAGE__INIT;
    Invar__Value value = INVAR__VALUE__INIT, *values = &value;
    Invar__Summary summary = INVAR__SUMMARY__INIT;
    image.height = height;
    image.width = width;
    image.colorspace = channels;
    image.encoded_image_string = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)encoded};
    value.tag = (char *)(uintptr_t)tag;
    value.value_case = INVAR__VALUE__VALUE_IMAGE;
    value.image = &image;
    summary.n_value = 1;
    summary.value = &values;
    return write_summary(file, step, &summary, err);
}

/* ---- hyperparameters ---- */

static void set_value(Invar__Setting *out, char *text)
{
    NUMBERS_HAVE_POINTS();
    char *end = NULL;
    const double number = strtod(text, &end);
    if (end != text && !*end && isfinite(number)) {
        out->kind_case = INVAR__SETTING__KIND_NUMBER_VALUE;
        out->number_value = number;
    } else if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        out->kind_case = INVAR__SETTING__KIND_BOOL_VALUE;
        out->bool_value = text[0] == 't';
    } else {
        out->kind_case = INVAR__SETTING__KIND_STRING_VALUE;
        out->string_value = text;
    }
}

/* The packed message of the hparams plugin. */
static bool pack_settings(const char *group, const struct run_setting *settings, int count, ProtobufCBinaryData *out,
                          struct invar_error *err)
{
    Invar__SessionStart start = INVAR__SESSION_START__INIT;
    Invar__Hparams hparams = INVAR__HPARAMS__INIT;
    const size_t room = count > 0 ? (size_t)count : 1;
    Invar__Entry *entries = invar_alloc(room, sizeof *entries, err);
    Invar__Setting *values = invar_alloc(room, sizeof *values, err);
    start.hparams = invar_alloc(room, sizeof *start.hparams, err);
    out->data = NULL;
    if (!entries || !values || !start.hparams)
        goto done;
    for (int i = 0; i < count; i++) {
        invar__entry__init(&entries[i]);
        invar__setting__init(&values[i]);
        set_value(&values[i], settings[i].value);
        entries[i].key = settings[i].key;
        entries[i].value = &values[i];
        start.hparams[i] = &entries[i];
    }
    start.n_hparams = (size_t)count;
    start.group_name = (char *)(uintptr_t)group;
    start.start_time_secs = wall_time();
    hparams.session_start_info = &start;
    out->len = invar__hparams__get_packed_size(&hparams);
    out->data = invar_alloc(out->len, 1, err);
    if (out->data)
        invar__hparams__pack(&hparams, out->data);
done:
    invar_free(entries);
    invar_free(values);
    invar_free(start.hparams);
    return out->data != NULL;
}

bool event_file_settings(struct event_file *file, const char *group, const struct run_setting *settings, int count,
                         struct invar_error *err)
{
    enum { TENSORFLOW_FLOAT = 1 };
    static char tag[] = "_hparams_/session_start_info", plugin_name[] = "hparams";
    Invar__Dimension dimension = INVAR__DIMENSION__INIT, *dimensions = &dimension;
    Invar__Shape shape = INVAR__SHAPE__INIT;
    Invar__Tensor tensor = INVAR__TENSOR__INIT;
    Invar__PluginData plugin = INVAR__PLUGIN_DATA__INIT;
    Invar__Metadata metadata = INVAR__METADATA__INIT;
    Invar__Value value = INVAR__VALUE__INIT, *values = &value;
    Invar__Summary summary = INVAR__SUMMARY__INIT;
    if (!pack_settings(group, settings, count, &plugin.content, err))
        return false;
    shape.n_dim = 1;
    shape.dim = &dimensions;
    tensor.dtype = TENSORFLOW_FLOAT;
    tensor.tensor_shape = &shape;
    plugin.plugin_name = plugin_name;
    metadata.plugin_data = &plugin;
    value.tag = tag;
    value.value_case = INVAR__VALUE__VALUE_TENSOR;
    value.tensor = &tensor;
    value.metadata = &metadata;
    summary.n_value = 1;
    summary.value = &values;
    const bool ok = write_summary(file, 0, &summary, err);
    invar_free(plugin.content.data);
    return ok;
}
