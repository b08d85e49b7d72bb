/* SPDX-License-Identifier: Apache-2.0 */
#include "base/folder.h"
#include "base/gzip.h"
#include "invar/expert/file.h"
#include "invar/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_CAPACITY ((size_t)64 * 1024)
#define LARGEST_READ ((size_t)1 << 30)

/* Opens for reading and guesses from the size on disk how much will come. */
static int open_for_reading(const char *path, size_t *guess, struct invar_error *err)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be opened: %s", path, strerror(errno));
        return -1;
    }
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be read: %s", path, strerror(errno));
    else if (S_ISDIR(status.st_mode))
        invar_error_set(err, INVAR_ERROR_FILE, "%s: is a folder, expected a file", path);
    else {
        *guess = status.st_size > 0 ? (size_t)status.st_size : 0;
        return descriptor;
    }
    close(descriptor);
    return -1;
}

static bool grow(struct invar_bytes *bytes, size_t *capacity, size_t wanted, const char *path, struct invar_error *err)
{
    unsigned char *data = realloc(bytes->data, wanted);
    if (!data)
        return invar_error_set(err, INVAR_ERROR_MEMORY, "%s: %zu bytes of memory could not be had to read it", path,
                               wanted);
    bytes->data = data;
    *capacity = wanted;
    return true;
}

static bool read_all(struct invar_bytes *out, gzFile stream, const char *path, size_t limit, size_t guess,
                     struct invar_error *err)
{
    /* Room for one byte too many, which tells that the limit is passed, and for the NUL. */
    const size_t full = limit + 2;
    size_t capacity = 0;
    if (guess < FIRST_CAPACITY)
        guess = FIRST_CAPACITY;
    if (!grow(out, &capacity, guess < limit ? guess + 2 : full, path, err))
        return false;
    for (;;) {
        size_t room = capacity - 1 - out->size;
        if (room == 0) {
            if (capacity == full)
                return invar_error_set(err, INVAR_ERROR_FORMAT,
                                       "%s: larger than %zu bytes (unpacked), the most that is expected here", path,
                                       limit);
            if (!grow(out, &capacity, capacity < full / 2 ? capacity * 2 : full, path, err))
                return false;
            continue;
        }
        int got = gzread(stream, out->data + out->size, (unsigned)(room < LARGEST_READ ? room : LARGEST_READ));
        if (got <= 0)
            break;
        out->size += (size_t)got;
    }
    if (!gzip_sound(stream, path, err))
        return false;
    out->data[out->size] = '\0';
    return grow(out, &capacity, out->size + 1, path, err);
}

bool invar_file_read(struct invar_bytes *out, const char *path, size_t limit, struct invar_error *err)
{
    struct invar_bytes bytes = {0};
    gzFile stream = NULL;
    size_t guess = 0;
    bool ok = false;

    if (limit > PTRDIFF_MAX - 2)
        limit = PTRDIFF_MAX - 2;
    int descriptor = open_for_reading(path, &guess, err);
    if (descriptor < 0)
        return false;
    stream = gzdopen(descriptor, "rb");
    if (!stream) {
        invar_error_set(err, INVAR_ERROR_MEMORY, "%s: no memory to unpack it", path);
        close(descriptor);
        goto done;
    }
    if (!read_all(&bytes, stream, path, limit, guess, err))
        goto done;
    *out = bytes;
    bytes = (struct invar_bytes){0};
    ok = true;
done:
    if (stream)
        gzclose(stream);
    invar_bytes_free(&bytes);
    return ok;
}

void invar_bytes_free(struct invar_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct invar_bytes){0};
}

bool invar_file_write(const char *path, const void *data, size_t size, struct invar_error *err)
{
    struct invar_writer *writer = invar_writer_open(path, err);
    bool ok = writer && invar_writer_put(writer, data, size, err) && invar_writer_commit(writer, err);
    invar_writer_close(writer);
    return ok;
}

void folder_sync_of(const char *path)
{
    char folder[PATH_MAX];
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    while (length > 0 && path[length - 1] != '/')
        length--;
    if (length >= sizeof folder)
        return;
    snprintf(folder, sizeof folder, "%.*s", length ? (int)length : 1, length ? path : ".");
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    fsync(descriptor);
    close(descriptor);
}

static bool make_folder(const char *path, struct invar_error *err)
{
    struct stat status;
    if (mkdir(path, 0777) == 0) {
        folder_sync_of(path);
        return true;
    }
    int reason = errno;
    if (stat(path, &status) == 0)
        return S_ISDIR(status.st_mode) ||
               invar_error_set(err, INVAR_ERROR_FILE, "%s: exists and is not a folder", path);
    return invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be made: %s", path, strerror(reason));
}

bool invar_folder_create(const char *path, struct invar_error *err)
{
    char *copy = invar_strdup(path, err);
    if (!copy)
        return false;
    bool ok = true;
    for (char *slash = *copy ? strchr(copy + 1, '/') : NULL; ok && slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        ok = make_folder(copy, err);
        *slash = '/';
    }
    ok = ok && make_folder(copy, err);
    invar_free(copy);
    return ok;
}

bool invar_path_find(const char *path, bool *there, struct invar_error *err)
{
    struct stat status;
    *there = stat(path, &status) == 0;
    return *there || errno == ENOENT || errno == ENOTDIR ||
           invar_error_set(err, INVAR_ERROR_FILE, "%s: it cannot be told whether it exists: %s", path, strerror(errno));
}

bool invar_path_is_file(const char *path, struct invar_error *err)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be read: %s", path, strerror(errno));
    return S_ISREG(status.st_mode) || invar_error_set(err, INVAR_ERROR_FILE, "%s: is no regular file", path);
}

bool invar_path_exists(const char *path)
{
    bool there;
    return !invar_path_find(path, &there, NULL) || there;
}

bool path_is_same(const char *path, const char *other)
{
    struct stat one, two;

    return stat(path, &one) == 0 && stat(other, &two) == 0 && one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

bool invar_path_join(char *out, size_t size, const char *folder, const char *name, struct invar_error *err)
{
    size_t length = strlen(folder);
    const char *slash = length && folder[length - 1] != '/' ? "/" : "";
    int written = snprintf(out, size, "%s%s%s", folder, slash, name);
    if (written < 0 || (size_t)written >= size)
        return invar_error_set(err, INVAR_ERROR_FILE, "%s/%s: the path is longer than %zu characters", folder, name,
                               size ? size - 1 : 0);
    return true;
}

uint32_t invar_crc32(uint32_t seed, const void *data, size_t size)
{
    /* zlib takes a NULL block for a wish to begin anew. */
    return size ? (uint32_t)crc32_z(seed, data, size) : seed;
}
