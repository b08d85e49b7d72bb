/* SPDX-License-Identifier: Apache-2.0 */
/* The source `images`: a folder of image files, or a tar of one; several such archives, named by a pattern, are one. */
#include "data/layout.h"
#include "data/shards.h"
#include "data/tar.h"

#include "invar/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct images {
    struct data_list list;
    size_t *entry;    /* [items], into list */
    bool turn, bands; /* as struct data_decoder has them */
    int folder;       /* descriptor; -1: archives */
    struct data_shards shards;
    struct data_tar *tar; /* [shards.count] */
};

static const char *name(const struct data_source *source, int64_t item)
{
    const struct images *images = source->state;
    return data_list_name(&images->list, images->entry[item]);
}

static uint64_t bytes(const struct data_source *source, int64_t item)
{
    const struct images *images = source->state;
    return images->list.entry[images->entry[item]].size;
}

static void release_images(void *state)
{
    struct images *images = state;
    if (images->folder >= 0)
        close(images->folder);
    images->folder = -1;
    for (int i = 0; images->tar && i < images->shards.count; i++)
        data_tar_close(&images->tar[i]);
}

static void close_images(void *state)
{
    struct images *images = state;
    data_list_free(&images->list);
    data_shards_free(&images->shards);
    invar_free(images->tar);
    invar_free(images->entry);
    invar_free(images);
}

/* Whole content of a file in the folder into decoder->file. */
static bool read_file(const struct images *images, const char *path, struct data_decoder *decoder, size_t *size,
                      struct invar_error *err)
{
    uint64_t there = 0;
    size_t done = 0;
    ssize_t got = 0;
    bool ok = false;
    int file = data_folder_file(images->folder, path, &there, err);

    if (file < 0)
        return false;
    if (there > DATA_FILE_LIMIT) {
        invar_error_set(err, INVAR_ERROR_FORMAT, "%s: has more than %zu bytes, the limit for one image", path,
                        DATA_FILE_LIMIT);
        goto done;
    }
    *size = (size_t)there;
    if (!data_decoder_reserve(decoder, *size, err))
        goto done;
    while (done < *size && ((got = read(file, decoder->file + done, *size - done)) > 0 || (got < 0 && errno == EINTR)))
        done += got > 0 ? (size_t)got : 0;
    ok = done == *size ||
         (got < 0 ? data_unreadable(path, errno, err)
                  : invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be read: it became shorter", path));
done:
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
           (data_tar_read(&images->tar[entry->shard], entry->place, decoder->file, (size_t)entry->size) ||
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
    decoder->bands = images->bands;
    return load(source, item, decoder, &size, err) &&
           data_image_decode(decoder, decoder->file, size, name(source, item), channels, image, err);
}

static const char *const endings[] = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", NULL};
static const struct data_layout layout = {"image", ".jpg, .png, .tif, .webp, ...", endings, false};

/* Of several archives each must have samples: an empty one is a download or a script that failed. */
static bool check_filled(const struct images *images, size_t first, const char *path, struct invar_error *err)
{
    const struct data_list *list = &images->list;

    for (size_t i = first; i < list->count; i++)
        if (!list->entry[i].folder && data_layout_is_sample(&layout, data_list_path(list, i)))
            return true;
    return invar_error_set(err, INVAR_ERROR_DATA, "%s: holds no %s, expected %s files as in the other shards", path,
                           layout.noun, layout.expected);
}

/* One archive; *limit: what unpacked ones may take is of all together. */
static bool scan_tar(struct images *images, int shard, size_t *limit, struct invar_error *err)
{
    const char *path = images->shards.path[shard];
    struct data_tar *tar = &images->tar[shard];
    const size_t first = images->list.count;

    images->list.shard = shard;
    if (!data_tar_open(tar, path, *limit, err) || !data_tar_list(tar, path, &images->list, err))
        return false;
    *limit -= *limit < SIZE_MAX ? tar->bytes.size : 0;
    if (images->shards.count == 1)
        return true;
    data_layout_strip_archive(&images->list, first, path);
    return check_filled(images, first, path, err);
}

static bool scan_tars(struct images *images, size_t limit, struct invar_error *err)
{
    const int count = images->shards.count;

    images->tar = invar_alloc((size_t)count, sizeof *images->tar, err);
    for (int i = 0; images->tar && i < count; i++)
        images->tar[i].file = -1;
    images->list.archive = count > 1 ? images->shards.path : NULL;
    for (int i = 0; i < count; i++)
        if (!images->tar || !scan_tar(images, i, &limit, err))
            return false;
    data_list_sort(&images->list);
    data_layout_strip(&images->list);
    return true;
}

/* A folder, which stands alone; else files. */
static bool scan(struct images *images, const char *pattern, size_t limit, struct invar_error *err)
{
    struct stat info;

    if (!data_shards_find(&images->shards, pattern, err))
        return false;
    for (int i = 0; i < images->shards.count; i++) {
        const char *path = images->shards.path[i];
        if (stat(path, &info) != 0)
            return invar_error_set(err, INVAR_ERROR_FILE,
                                   "%s: %s; images:PATH needs a folder or a tar of folders of image files", path,
                                   strerror(errno));
        if (S_ISDIR(info.st_mode) && images->shards.count == 1) {
            images->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            if (images->folder < 0)
                return invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be read: %s", path, strerror(errno));
            return data_folder_list(&images->list, path, err);
        }
        if (!S_ISREG(info.st_mode))
            return invar_error_set(err, INVAR_ERROR_FILE, "%s: is %s", path,
                                   images->shards.count == 1 ? "neither a folder nor a file"
                                                             : "no file; several shards are tar files");
    }
    return scan_tars(images, limit, err);
}

bool data_images_open(struct data_source *source, const char *path, const struct invar_data_options *options,
                      struct invar_error *err)
{
    struct images *images = invar_alloc(1, sizeof *images, err);
    if (!images)
        return false;
    images->folder = -1;
    images->bands = options->channels == 0;
    images->turn = options->orientation == INVAR_ORIENTATION_APPLY;
    source->state = images;
    source->decode = decode;
    source->channels_of = channels_of;
    source->name = name;
    source->bytes = bytes;
    source->release = release_images;
    source->close = close_images;
    return scan(images, path, data_memory_limit(options), err) &&
           data_layout_read(source, &images->list, path, &layout, &images->entry, err);
}
