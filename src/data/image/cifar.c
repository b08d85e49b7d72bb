/* SPDX-License-Identifier: Apache-2.0 */
/* The sources `cifar10` and `cifar100`: records of one or two label bytes and 32 x 32 pixels in three planes. */
#include "data/source.h"

#include <string.h>

#define PATH_SIZE 4096
#define SIDE 32
#define PIXELS (SIDE * SIDE)
#define MAX_CLASSES 100

struct layout {
    const char *subfolder; /* where the archive puts the files */
    const char *archive, *names_file;
    const char *const *names; /* without a names_file; NULL: numbers */
    int train_files;
    const char *file[6]; /* the last is the test file */
    int label_bytes;
    int limits[2]; /* each label byte must be below */
};

static const char *const cifar10_names[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                            "dog",      "frog",       "horse", "ship", "truck"};
static const struct layout cifar10 = {
    "cifar-10-batches-bin",
    "cifar-10-binary.tar.gz",
    "batches.meta.txt",
    cifar10_names,
    5,
    {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin",
     "test_batch.bin"},
    1,
    {10, 0},
};
static const struct layout cifar100 = {
    "cifar-100-binary", "cifar-100-binary.tar.gz", "fine_label_names.txt", NULL, 1, {"train.bin", "test.bin"}, 2,
    {20, 100},
};

/* The folder itself, or the one that the archive unpacks to inside it. */
static bool find_folder(const struct layout *layout, const char *path, char *folder, struct invar_error *err)
{
    char probe[PATH_SIZE];
    if (!invar_path_join(folder, PATH_SIZE, path, layout->subfolder, err) ||
        !invar_path_join(probe, PATH_SIZE, folder, layout->file[0], err))
        return false;
    if (!invar_path_exists(probe))
        return snprintf(folder, PATH_SIZE, "%s", path) < PATH_SIZE;
    return true;
}

static bool read_file(const struct layout *layout, const char *path, size_t limit, struct invar_bytes *held,
                      struct invar_error *err)
{
    size_t record = (size_t)layout->label_bytes + 3 * PIXELS;
    if (!invar_path_exists(path))
        return invar_error_set(err, INVAR_ERROR_FILE,
                               "%s: no such file; unpack %s from https://www.cs.toronto.edu/~kriz/cifar.html and name "
                               "its folder",
                               path, layout->archive);
    if (!invar_file_read(held, path, limit, err))
        return false;
    if (held->size == 0 || held->size % record != 0)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s: has %zu bytes, expected a multiple of %zu (%d label and 3072 pixel bytes); it is "
                               "truncated or not of the binary version",
                               path, held->size, record, layout->label_bytes);
    return true;
}

/* Three planes become one of three channels, in place. */
static void interleave(uint8_t *pixels)
{
    uint8_t planes[3 * PIXELS];
    memcpy(planes, pixels, sizeof planes);
    for (size_t i = 0; i < PIXELS; i++)
        for (size_t c = 0; c < 3; c++)
            pixels[3 * i + c] = planes[c * PIXELS + i];
}

static bool take_file(struct data_source *source, const struct layout *layout, const char *path, int number,
                      int64_t first, struct invar_error *err)
{
    size_t record = (size_t)layout->label_bytes + 3 * PIXELS;
    struct invar_bytes *held = &source->held[number];
    for (size_t r = 0; r < held->size / record; r++) {
        uint8_t *at = held->data + r * record;
        int64_t item = first + (int64_t)r;
        for (int b = 0; b < layout->label_bytes; b++)
            if (at[b] >= layout->limits[b])
                return invar_error_set(err, INVAR_ERROR_DATA,
                                       "%s: label %d of record %zu is out of range, expected 0 to %d", path, at[b], r,
                                       layout->limits[b] - 1);
        source->label[item] = at[layout->label_bytes - 1];
        source->split[item] = number < layout->train_files ? INVAR_TRAIN : INVAR_TEST;
        source->pixels[item] = at + layout->label_bytes;
        interleave(at + layout->label_bytes);
    }
    return true;
}

/* One name a line, when the file is there and has as many as there are classes. */
static bool read_names(struct data_source *source, const struct layout *layout, const char *folder,
                       struct invar_error *err)
{
    const char *names[MAX_CLASSES];
    char path[PATH_SIZE];
    struct invar_bytes text = {0};
    int classes = layout->limits[layout->label_bytes - 1], count = 0;
    bool ok = false;

    if (!invar_path_join(path, sizeof path, folder, layout->names_file, err))
        goto done;
    if (invar_path_exists(path)) {
        if (!invar_file_read(&text, path, 1 << 16, err))
            goto done;
        char *rest = NULL;
        for (char *line = strtok_r((char *)text.data, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
            if (count < classes)
                names[count] = line;
            count++;
        }
        if (count != classes) {
            invar_error_set(err, INVAR_ERROR_FORMAT, "%s: has %d names, expected one a line for %d classes", path,
                            count, classes);
            goto done;
        }
    }
    ok = data_source_classes(source, classes, count ? names : layout->names, err);
done:
    invar_bytes_free(&text);
    return ok;
}

static bool open_layout(struct data_source *source, const struct layout *layout, const char *path,
                        const struct invar_data_options *options, struct invar_error *err)
{
    char folder[PATH_SIZE], file[6][PATH_SIZE];
    size_t limit = data_memory_limit(options), total = 0;
    int files = layout->train_files + 1;
    size_t record = (size_t)layout->label_bytes + 3 * PIXELS;

    if (!find_folder(layout, path, folder, err))
        return false;
    for (int i = 0; i < files; i++) {
        if (!invar_path_join(file[i], PATH_SIZE, folder, layout->file[i], err) ||
            !read_file(layout, file[i], limit - total, &source->held[i], err))
            return false;
        total += source->held[i].size;
    }
    if (!data_source_reserve(source, (int64_t)(total / record), true, err) || !read_names(source, layout, folder, err))
        return false;
    source->height = source->width = SIDE;
    source->channels = 3;
    source->has_test = true;
    int64_t first = 0;
    for (int i = 0; i < files; i++) {
        if (!take_file(source, layout, file[i], i, first, err))
            return false;
        first += (int64_t)(source->held[i].size / record);
    }
    return true;
}

bool data_cifar10_open(struct data_source *source, const char *path, const struct invar_data_options *options,
                       struct invar_error *err)
{
    return open_layout(source, &cifar10, path, options, err);
}

bool data_cifar100_open(struct data_source *source, const char *path, const struct invar_data_options *options,
                        struct invar_error *err)
{
    return open_layout(source, &cifar100, path, options, err);
}
