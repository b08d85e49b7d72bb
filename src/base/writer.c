/* SPDX-License-Identifier: Apache-2.0 */
#include "base/folder.h"
#include "invar/expert/file.h"
#include "invar/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct invar_writer {
    FILE *stream;
    char *path;      /* as the caller named it, for messages */
    char *target;    /* where it goes: path with symbolic links followed */
    char *temporary; /* NULL when target is a device or pipe, which is written directly */
    mode_t mode;     /* of the file that is replaced */
    bool replaces;
    bool borrowed; /* stream stays open */
    bool failed;
};

static bool write_error(const struct invar_writer *writer, int reason, struct invar_error *err)
{
    const char *advice = "";
    if (reason == ENOSPC || reason == EDQUOT)
        advice = "; free some space or write elsewhere";
    else if (reason == ENOENT)
        advice = "; make the folder first";
    else if (reason == EACCES || reason == EROFS || reason == EPERM)
        advice = "; choose a place that you may write to";
    return invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be written: %s%s", writer->path, strerror(reason),
                           advice);
}

static char *format_temporary(const char *target, struct invar_error *err)
{
    size_t size = strlen(target) + 32;
    char *temporary = invar_alloc(size, 1, err);
    if (temporary)
        snprintf(temporary, size, "%s.tmp-%ld", target, (long)getpid());
    return temporary;
}

/* Fills target and temporary. Replacing a device such as /dev/null by a file would be a disaster, and replacing a link
 * a surprise. */
static bool find_target(struct invar_writer *writer, struct invar_error *err)
{
    struct stat status;
    bool exists = stat(writer->path, &status) == 0;
    if (!exists && errno != ENOENT && errno != ENOTDIR)
        return write_error(writer, errno, err);
    if (exists && S_ISDIR(status.st_mode))
        return invar_error_set(err, INVAR_ERROR_FILE, "%s: is a folder, expected a file to write", writer->path);
    char *real = exists ? realpath(writer->path, NULL) : NULL;
    writer->target = invar_strdup(real ? real : writer->path, err);
    free(real);
    if (!writer->target)
        return false;
    if (exists && !S_ISREG(status.st_mode))
        return true;
    writer->replaces = exists;
    writer->mode = exists ? status.st_mode & 07777 : 0;
    writer->temporary = format_temporary(writer->target, err);
    return writer->temporary != NULL;
}

/* The temporary file is always a new one of our own: nothing that lies there under its name is followed or written,
 * be it left by a process that had our number. A file that is replaced keeps its mode. */
static FILE *open_temporary(const struct invar_writer *writer)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int descriptor = open(writer->temporary, flags, 0666);
    if (descriptor < 0 && errno == EEXIST && unlink(writer->temporary) == 0)
        descriptor = open(writer->temporary, flags, 0666);
    if (descriptor < 0)
        return NULL;
    FILE *stream = writer->replaces && fchmod(descriptor, writer->mode) != 0 ? NULL : fdopen(descriptor, "wb");
    if (!stream) {
        const int reason = errno;
        close(descriptor);
        unlink(writer->temporary);
        errno = reason;
    }
    return stream;
}

struct invar_writer *invar_writer_open(const char *path, struct invar_error *err)
{
    struct invar_writer *writer = invar_alloc(1, sizeof *writer, err);
    if (!writer)
        return NULL;
    writer->path = invar_strdup(path, err);
    if (!writer->path || !find_target(writer, err))
        goto failed;
    writer->stream = writer->temporary ? open_temporary(writer) : fopen(writer->target, "wb");
    if (!writer->stream) {
        int reason = errno;
        invar_free(writer->temporary);
        writer->temporary = NULL;
        write_error(writer, reason, err);
        goto failed;
    }
    return writer;
failed:
    invar_writer_close(writer);
    return NULL;
}

struct invar_writer *invar_writer_open_stream(FILE *stream, const char *name, struct invar_error *err)
{
    struct invar_writer *writer = invar_alloc(1, sizeof *writer, err);
    if (!writer)
        return NULL;
    writer->borrowed = true;
    writer->stream = stream;
    writer->path = invar_strdup(name, err);
    if (writer->path)
        return writer;
    invar_writer_close(writer);
    return NULL;
}

bool invar_writer_put(struct invar_writer *writer, const void *data, size_t size, struct invar_error *err)
{
    if (size == 0 || fwrite(data, 1, size, writer->stream) == size)
        return true;
    writer->failed = true;
    return write_error(writer, errno, err);
}

bool invar_writer_printf(struct invar_writer *writer, struct invar_error *err, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int written = vfprintf(writer->stream, format, arguments);
    va_end(arguments);
    if (written >= 0)
        return true;
    writer->failed = true;
    return write_error(writer, errno, err);
}

bool invar_writer_commit(struct invar_writer *writer, struct invar_error *err)
{
    if (writer->failed || !writer->stream)
        return invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be written: an earlier write to it failed",
                               writer->path);
    bool flushed = fflush(writer->stream) == 0 && (!writer->temporary || fsync(fileno(writer->stream)) == 0);
    int reason = errno;
    if (!writer->borrowed && fclose(writer->stream) != 0 && flushed) {
        flushed = false;
        reason = errno;
    }
    writer->stream = NULL;
    if (!flushed)
        return write_error(writer, reason, err);
    if (!writer->temporary)
        return true;
    if (rename(writer->temporary, writer->target) != 0)
        return write_error(writer, errno, err);
    invar_free(writer->temporary);
    writer->temporary = NULL;
    folder_sync_of(writer->target); /* the rename itself must reach the disk too */
    return true;
}

void invar_writer_close(struct invar_writer *writer)
{
    if (!writer)
        return;
    if (writer->stream && !writer->borrowed)
        fclose(writer->stream);
    if (writer->temporary)
        unlink(writer->temporary);
    invar_free(writer->temporary);
    invar_free(writer->target);
    invar_free(writer->path);
    invar_free(writer);
}
