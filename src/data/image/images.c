/* SPDX-License-Identifier: Apache-2.0 */
/* The source `images`: a folder, or a tar of a folder, of image files. */
#include "data/layout.h"
#include "data/tar.h"

#include "invar/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct images {
    struct data_list list;
    size_t *entry; /* [items], into list */
    bool turn;
    int folder; /* descriptor; -1: an archive */
    struct data_tar tar;
};

static const char *name(const struct data_source *source, int64_t item)
{
    const struct images *images = source->state;
    return data_list_path(&images->list, images->entry[item]);
}

static void release_images(void *state)
{
    struct images *images = state;
    if (images->folder >= 0)
        close(images->folder);
    images->folder = -1;
    data_tar_close(&images->tar);
}

static void close_images(void *state)
{
    struct images *images = state;
    data_list_free(&images->list);
    invar_free(images->entry);
    invar_free(images);
}

/* Whole content of a file in the folder into decoder->file. */
static bool read_file(const struct images *images, const char *path, struct data_decoder *decoder, size_t *size,
                      struct invar_error *err)
{
    struct stat info;
    size_t done = 0;
    ssize_t got = 0;
    bool ok = false;
    int file = openat(images->folder, path, O_RDONLY | O_CLOEXEC);

    if (file < 0 || fstat(file, &info) != 0) {
        data_unreadable(path, errno, err);
        goto done;
    }
    if (info.st_size < 0 || (uint64_t)info.st_size > DATA_FILE_LIMIT) {
        invar_error_set(err, INVAR_ERROR_FORMAT, "%s: has more than %zu bytes, the limit for one image", path,
                        DATA_FILE_LIMIT);
        goto done;
    }
    *size = (size_t)info.st_size;
    if (!data_decoder_reserve(decoder, *size, err))
        goto done;
    while (done < *size && ((got = read(file, decoder->file + done, *size - done)) > 0 || (got < 0 && errno == EINTR)))
        done += got > 0 ? (size_t)got : 0;
    ok = done == *size ||
         (got < 0 ? data_unreadable(path, errno, err)
                  : invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be read: it became shorter", path));
done:
    if (file >= 0)
        close(file);
    return ok;
}

static bool read_member(const struct images *images, const struct data_entry *entry, const char *path,
                        struct data_decoder *decoder, struct invar_error *err)
{
    if (entry->size > DATA_FILE_LIMIT)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: has more than %zu bytes, the limit for one image", path,
                               DATA_FILE_LIMIT);
    return data_decoder_reserve(decoder, (size_t)entry->size, err) &&
           (data_tar_read(&images->tar, entry->place, decoder->file, (size_t)entry->size) ||
            invar_error_set(err, INVAR_ERROR_SYSTEM,
                            "%s: cannot be read from its archive, which was whole when it was opened", path));
}

/* The content of an item into decoder->file. */
static bool load(const struct data_source *source, int64_t item, struct data_decoder *decoder, size_t *size,
                 struct invar_error *err)
{
    const struct images *images = source->state;
    const struct data_entry *entry = &images->list.entry[images->entry[item]];
    const char *path = name(source, item);

    *size = (size_t)entry->size;
    return images->folder >= 0 ? read_file(images, path, decoder, size, err)
                               : read_member(images, entry, path, decoder, err);
}

static int channels_of(const struct data_source *source, int64_t item, struct data_decoder *decoder,
                       struct invar_error *err)
{
    size_t size;
    return load(source, item, decoder, &size, err) ? data_image_channels(decoder, decoder->file, size, err) : 0;
}

static bool decode(const struct data_source *source, int64_t item, int channels, struct data_decoder *decoder,
                   struct data_image *image, struct invar_error *err)
{
    const struct images *images = source->state;
    size_t size;

    decoder->turn = images->turn;
    return load(source, item, decoder, &size, err) &&
           data_image_decode(decoder, decoder->file, size, name(source, item), channels, image, err);
}

static bool scan(struct images *images, const char *path, size_t limit, struct invar_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return invar_error_set(err, INVAR_ERROR_FILE,
                               "%s: %s; images:PATH needs a folder or a tar of folders of image files", path,
                               strerror(errno));
    if (S_ISDIR(info.st_mode)) {
        images->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (images->folder < 0)
            return invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be read: %s", path, strerror(errno));
        return data_folder_list(&images->list, path, err);
    }
    if (!S_ISREG(info.st_mode))
        return invar_error_set(err, INVAR_ERROR_FILE, "%s: is neither a folder nor a file", path);
    if (!data_tar_open(&images->tar, path, limit, err) || !data_tar_list(&images->tar, path, &images->list, err))
        return false;
    data_layout_strip(&images->list);
    return true;
}

bool data_images_open(struct data_source *source, const char *path, const struct invar_data_options *options,
                      struct invar_error *err)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", NULL};
    static const struct data_layout layout = {"image", ".jpg, .png, .tif, .webp, ...", endings, false};
    struct images *images = invar_alloc(1, sizeof *images, err);
    if (!images)
        return false;
    images->folder = -1;
    images->tar.file = -1;
    images->turn = options->orientation == INVAR_ORIENTATION_APPLY;
    source->state = images;
    source->decode = decode;
    source->channels_of = channels_of;
    source->name = name;
    source->release = release_images;
    source->close = close_images;
    return scan(images, path, data_memory_limit(options), err) &&
           data_layout_read(source, &images->list, path, &layout, &images->entry, err);
}
