/* SPDX-License-Identifier: Apache-2.0 */
/* Streams read and write inside libc, where nothing can stand in between; so streams are opened over read, write, lseek
 * and close of shim_files.c. */
#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void *__libc_calloc(size_t count, size_t size);
void __libc_free(void *memory);

struct opened {
    struct opened *next;
    FILE *stream;
    int descriptor;
    const void *caller;
};

static struct opened *all;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool fails(const struct opened *opened, const char *name, int reason)
{
    return shim_fails(SHIM_FILE, opened->caller, name, reason);
}

static ssize_t on_read(void *cookie, char *data, size_t size)
{
    const struct opened *opened = cookie;
    return fails(opened, "read of a stream", EIO) ? -1 : read(opened->descriptor, data, size);
}

/* 0 is failure here */
static ssize_t on_write(void *cookie, const char *data, size_t size)
{
    const struct opened *opened = cookie;
    const ssize_t written = fails(opened, "write of a stream", ENOSPC) ? -1 : write(opened->descriptor, data, size);
    return written < 0 ? 0 : written;
}

static int on_seek(void *cookie, off64_t *offset, int from)
{
    const struct opened *opened = cookie;
    const off_t at = lseek(opened->descriptor, *offset, from);
    *offset = at;
    return at < 0 ? -1 : 0;
}

static int on_close(void *cookie)
{
    struct opened *opened = cookie;
    pthread_mutex_lock(&lock);
    for (struct opened **link = &all; *link; link = &(*link)->next)
        if (*link == opened) {
            *link = opened->next;
            break;
        }
    pthread_mutex_unlock(&lock);
    const bool failed = fails(opened, "close of a stream", EIO);
    const int reason = errno, status = close(opened->descriptor);
    if (failed)
        errno = reason;
    __libc_free(opened);
    return failed ? -1 : status;
}

static FILE *open_over(int descriptor, const char *mode, const void *caller)
{
    const cookie_io_functions_t functions = {on_read, on_write, on_seek, on_close};
    struct opened *opened = __libc_calloc(1, sizeof *opened);
    if (!opened)
        return NULL;
    *opened = (struct opened){.descriptor = descriptor, .caller = caller};
    opened->stream = fopencookie(opened, mode, functions);
    if (!opened->stream) {
        __libc_free(opened);
        return NULL;
    }
    pthread_mutex_lock(&lock);
    opened->next = all;
    all = opened;
    pthread_mutex_unlock(&lock);
    return opened->stream;
}

static int flags_of(const char *mode)
{
    const int access = strchr(mode, '+') ? O_RDWR : mode[0] == 'r' ? O_RDONLY : O_WRONLY;
    const int create = mode[0] == 'r' ? 0 : O_CREAT | (mode[0] == 'w' ? O_TRUNC : O_APPEND);
    return access | create | (strchr(mode, 'x') ? O_EXCL : 0) | (strchr(mode, 'e') ? O_CLOEXEC : 0);
}

static FILE *open_file(const char *path, const char *mode, const void *caller, const char *name)
{
    if (shim_fails(SHIM_FILE, caller, name, EMFILE))
        return NULL;
    const int descriptor = open(path, flags_of(mode), 0666);
    FILE *stream = descriptor < 0 ? NULL : open_over(descriptor, mode, caller);
    if (!stream && descriptor >= 0) {
        close(descriptor);
        errno = ENOMEM;
    }
    return stream;
}

FILE *fopen(const char *restrict path, const char *restrict mode)
{
    FILE *(*real)(const char *, const char *);
    *(void **)&real = dlsym(RTLD_NEXT, "fopen");
    return shim_counts(SHIM_CALLER) ? open_file(path, mode, SHIM_CALLER, "fopen") : real(path, mode);
}

FILE *fdopen(int descriptor, const char *mode)
{
    FILE *(*real)(int, const char *);
    *(void **)&real = dlsym(RTLD_NEXT, "fdopen");
    return shim_counts(SHIM_CALLER) ? open_over(descriptor, mode, SHIM_CALLER) : real(descriptor, mode);
}

int fileno(FILE *stream)
{
    int (*real)(FILE *);
    int descriptor = -1;
    pthread_mutex_lock(&lock);
    for (const struct opened *opened = all; opened && descriptor < 0; opened = opened->next)
        if (opened->stream == stream)
            descriptor = opened->descriptor;
    pthread_mutex_unlock(&lock);
    if (descriptor >= 0)
        return descriptor;
    *(void **)&real = dlsym(RTLD_NEXT, "fileno");
    return real(stream);
}
