/* SPDX-License-Identifier: Apache-2.0 */
/* The source `idx`: the files of MNIST and its kin. Big-endian: 0x0803, count, rows, columns, bytes; 0x0801, count,
 * labels. */
#include "data/image/idx.h"

#include <string.h>

#define PATH_SIZE 4096

struct part {
    const char *images, *labels; /* file names */
    int64_t count, height, width;
    const uint8_t *pixels;
    struct invar_bytes label_file;
    const uint8_t *label; /* NULL: none */
    char images_path[PATH_SIZE], labels_path[PATH_SIZE];
};

static int64_t big_endian(const uint8_t *p)
{
    return (int64_t)p[0] << 24 | (int64_t)p[1] << 16 | (int64_t)p[2] << 8 | (int64_t)p[3];
}

/* The file or the same with .gz, with the dash before "idx" or, as some archives unpack, a dot; *found false without an
 * error when there is none. */
static bool find(char *path, const char *folder, const char *name, bool *found, struct invar_error *err)
{
    for (int form = 0; form < 4; form++) {
        if (!invar_path_join(path, PATH_SIZE - 4, folder, name, err))
            return false;
        char *kind = strstr(path + strlen(path) - strlen(name), "-idx");
        if (form >= 2 && kind)
            *kind = '.';
        if (form % 2)
            strcat(path, ".gz");
        *found = invar_path_exists(path);
        if (*found)
            return true;
    }
    return true;
}

static bool missing(const char *folder, const char *name, const char *advice, struct invar_error *err)
{
    return invar_error_set(err, INVAR_ERROR_FILE, "%s/%s: no such file, nor with .gz; %s", folder, name, advice);
}

/* Header of `dims` sizes, then exactly as many bytes as they multiply to. */
static bool check(const struct invar_bytes *bytes, const char *path, int dims, int64_t *size, struct invar_error *err)
{
    size_t header = 4 + 4 * (size_t)dims;
    int64_t expected = 1;

    if (bytes->size < header)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: has %zu bytes, too few for the header of an idx%d file",
                               path, bytes->size, dims);
    if (big_endian(bytes->data) != 0x0800 + dims)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s: starts with 0x%08llx instead of 0x%08x, so it is not an idx%d file of bytes", path,
                               (unsigned long long)big_endian(bytes->data), 0x0800u + (unsigned)dims, dims);
    for (int i = 0; i < dims; i++) {
        size[i] = big_endian(bytes->data + 4 + 4 * i);
        if (size[i] < 1)
            return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: dimension %d of its header is 0, expected at least 1",
                                   path, i);
        if (i > 0 && size[i] > DATA_SIDE_LIMIT)
            return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: dimension %d of its header is %lld, the limit is %d",
                                   path, i, (long long)size[i], DATA_SIDE_LIMIT);
        expected *= size[i]; /* below 2^32 * 2^14 * 2^14 */
    }
    if (bytes->size - header != (uint64_t)expected)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s: is %s, its header announces %lld bytes of data and it has %zu", path,
                               bytes->size - header < (uint64_t)expected ? "truncated" : "too long",
                               (long long)expected, bytes->size - header);
    return true;
}

static bool read_part(struct part *part, struct invar_bytes *held, const char *folder, bool need_images,
                      bool need_labels, const char *advice, size_t limit, struct invar_error *err)
{
    int64_t size[3];
    bool found;

    if (!find(part->images_path, folder, part->images, &found, err))
        return false;
    if (!found)
        return !need_images || missing(folder, part->images, advice, err);
    if (!invar_file_read(held, part->images_path, limit, err) || !check(held, part->images_path, 3, size, err) ||
        !data_image_check(size[1], size[2], part->images_path, err))
        return false;
    part->count = size[0];
    part->height = size[1];
    part->width = size[2];
    part->pixels = held->data + 16;

    if (!find(part->labels_path, folder, part->labels, &found, err))
        return false;
    if (!found)
        return !need_labels || missing(folder, part->labels, advice, err);
    if (!invar_file_read(&part->label_file, part->labels_path, limit, err) ||
        !check(&part->label_file, part->labels_path, 1, size, err))
        return false;
    if (size[0] != part->count)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: has %lld labels for the %lld images of %s, they must agree",
                               part->labels_path, (long long)size[0], (long long)part->count, part->images_path);
    part->label = part->label_file.data + 8;
    return true;
}

static bool take_part(struct data_source *source, const struct part *part, int64_t first, enum invar_split split,
                      struct invar_error *err)
{
    size_t stride = (size_t)(part->height * part->width);
    for (int64_t i = 0; i < part->count; i++) {
        source->pixels[first + i] = part->pixels + (size_t)i * stride;
        source->split[first + i] = (uint8_t)split;
        if (!part->label)
            continue;
        if (part->label[i] >= source->classes)
            return invar_error_set(err, INVAR_ERROR_DATA,
                                   "%s: label %d of sample %lld is out of range, expected 0 to %d", part->labels_path,
                                   part->label[i], (long long)i, source->classes - 1);
        source->label[first + i] = part->label[i];
    }
    return true;
}

static int count_classes(const struct part *train, const struct part *test)
{
    const struct part *part = train->label ? train : test;
    int highest = -1;
    for (int64_t i = 0; part->label && i < part->count; i++)
        highest = part->label[i] > highest ? part->label[i] : highest;
    return highest + 1;
}

bool data_idx_read(struct data_source *source, const char *folder, const char *const *names, int classes,
                   const char *advice, const struct invar_data_options *options, struct invar_error *err)
{
    struct part train = {.images = "train-images-idx3-ubyte", .labels = "train-labels-idx1-ubyte"};
    struct part test = {.images = "t10k-images-idx3-ubyte", .labels = "t10k-labels-idx1-ubyte"};
    size_t limit = data_memory_limit(options);
    bool ok = false;

    if (!read_part(&train, &source->held[0], folder, true, names, advice, limit, err) ||
        !read_part(&test, &source->held[1], folder, names, names, advice, limit, err))
        goto done;
    if (test.count && (test.height != train.height || test.width != train.width)) {
        invar_error_set(err, INVAR_ERROR_DATA, "%s: has images of %lld x %lld, those of %s are %lld x %lld",
                        test.images_path, (long long)test.width, (long long)test.height, train.images_path,
                        (long long)train.width, (long long)train.height);
        goto done;
    }
    if (!names)
        classes = count_classes(&train, &test);
    if (!data_source_reserve(source, train.count + test.count, true, err) ||
        (classes && !data_source_classes(source, classes, names, err)))
        goto done;
    source->height = (int)train.height;
    source->width = (int)train.width;
    source->channels = 1;
    source->has_test = test.count > 0;
    ok = take_part(source, &train, 0, INVAR_TRAIN, err) && take_part(source, &test, train.count, INVAR_TEST, err);
done:
    invar_bytes_free(&train.label_file);
    invar_bytes_free(&test.label_file);
    return ok;
}

bool data_idx_open(struct data_source *source, const char *path, const struct invar_data_options *options,
                   struct invar_error *err)
{
    return data_idx_read(source, path, NULL, 0, "idx:DIR needs a folder of files named as those of MNIST", options,
                         err);
}
