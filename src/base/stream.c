/* SPDX-License-Identifier: Apache-2.0 */
#include "base/stream.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

FILE *stream_open(const char *path, uint64_t *size, struct invar_error *err)
{
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer does not hang */
    FILE *stream = descriptor < 0 ? NULL : fdopen(descriptor, "rb");
    if (!stream) {
        invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be opened: %s", path, strerror(errno));
        if (descriptor >= 0)
            close(descriptor);
        return NULL;
    }
    struct stat status;
    if (fstat(fileno(stream), &status) != 0)
        invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be read: %s", path, strerror(errno));
    else if (S_ISDIR(status.st_mode))
        invar_error_set(err, INVAR_ERROR_FILE, "%s: is a folder, expected a file", path);
    else if (!S_ISREG(status.st_mode))
        invar_error_set(err, INVAR_ERROR_FILE, "%s: is not a regular file", path);
    else {
        *size = (uint64_t)status.st_size;
        return stream;
    }
    fclose(stream);
    return NULL;
}

size_t stream_begin(const char *path, void *out, size_t size)
{
    uint64_t all;
    FILE *stream = stream_open(path, &all, NULL);
    const size_t got = stream ? fread(out, 1, size, stream) : 0;

    if (stream)
        fclose(stream);
    return got;
}

bool stream_read(FILE *stream, void *data, size_t size, const char *path, struct invar_error *err)
{
    if (fread(data, 1, size, stream) == size)
        return true;
    if (ferror(stream))
        return invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be read: %s", path, strerror(errno));
    return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: truncated; it ended while %zu more bytes were expected", path,
                           size);
}
