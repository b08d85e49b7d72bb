/* SPDX-License-Identifier: Apache-2.0 */
/* What reads and writes files, apart from stdio. Standard input, output and error are left alone. */
#include "shim.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* real: the function of libc that this one stands in front of, looked up once */
#define REAL(name)                                                                                                     \
    static __typeof__(name) *real;                                                                                     \
    if (!real)                                                                                                         \
    *(void **)&real = dlsym(RTLD_NEXT, #name)

#define FAILS(name, reason) shim_fails(SHIM_FILE, SHIM_CALLER, name, reason)

static mode_t mode_of(int flags, va_list *list)
{
    return flags & (O_CREAT | __O_TMPFILE) ? (mode_t)va_arg(*list, int) : 0;
}

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        va_list list;                                                                                                  \
        va_start(list, flags);                                                                                         \
        const mode_t mode = mode_of(flags, &list);                                                                     \
        va_end(list);                                                                                                  \
        return FAILS(#name, EMFILE) ? -1 : real(path, flags, mode);                                                    \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                                   \
    int name(int folder, const char *path, int flags, ...)                                                             \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        va_list list;                                                                                                  \
        va_start(list, flags);                                                                                         \
        const mode_t mode = mode_of(flags, &list);                                                                     \
        va_end(list);                                                                                                  \
        return FAILS(#name, EMFILE) ? -1 : real(folder, path, flags, mode);                                            \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t read(int descriptor, void *data, size_t size)
{
    REAL(read);
    return descriptor > 2 && FAILS("read", EIO) ? -1 : real(descriptor, data, size);
}

ssize_t write(int descriptor, const void *data, size_t size)
{
    REAL(write);
    return descriptor > 2 && FAILS("write", ENOSPC) ? -1 : real(descriptor, data, size);
}

#define PREAD(name)                                                                                                    \
    ssize_t name(int descriptor, void *data, size_t size, off_t at)                                                    \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        return FAILS(#name, EIO) ? -1 : real(descriptor, data, size, at);                                              \
    }
PREAD(pread)
PREAD(pread64)

#define PWRITE(name)                                                                                                   \
    ssize_t name(int descriptor, const void *data, size_t size, off_t at)                                              \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        return FAILS(#name, ENOSPC) ? -1 : real(descriptor, data, size, at);                                           \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

/* Closes in any case, as the kernel does. */
int close(int descriptor)
{
    REAL(close);
    const bool fails = descriptor > 2 && FAILS("close", EIO);
    const int reason = errno, status = real(descriptor);
    if (fails)
        errno = reason;
    return fails ? -1 : status;
}

#define OF_DESCRIPTOR(name, reason)                                                                                    \
    int name(int descriptor)                                                                                           \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        return FAILS(#name, reason) ? -1 : real(descriptor);                                                           \
    }
OF_DESCRIPTOR(fsync, EIO)
OF_DESCRIPTOR(fdatasync, EIO)

#define OF_PATH(name, reason)                                                                                          \
    int name(const char *path)                                                                                         \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        return FAILS(#name, reason) ? -1 : real(path);                                                                 \
    }
OF_PATH(unlink, EIO)
OF_PATH(rmdir, EIO)
OF_PATH(remove, EIO)

int rename(const char *from, const char *to)
{
    REAL(rename);
    return FAILS("rename", ENOSPC) ? -1 : real(from, to);
}

int mkdir(const char *path, mode_t mode)
{
    REAL(mkdir);
    return FAILS("mkdir", ENOSPC) ? -1 : real(path, mode);
}

int flock(int descriptor, int operation)
{
    REAL(flock);
    return FAILS("flock", EIO) ? -1 : real(descriptor, operation);
}

int truncate(const char *path, off_t size)
{
    REAL(truncate);
    return FAILS("truncate", EIO) ? -1 : real(path, size);
}

int ftruncate(int descriptor, off_t size)
{
    REAL(ftruncate);
    return FAILS("ftruncate", EIO) ? -1 : real(descriptor, size);
}

int fchmod(int descriptor, mode_t mode)
{
    REAL(fchmod);
    return FAILS("fchmod", EIO) ? -1 : real(descriptor, mode);
}

off_t lseek(int descriptor, off_t offset, int from)
{
    REAL(lseek);
    return FAILS("lseek", EIO) ? -1 : real(descriptor, offset, from);
}

#define STAT(name, status_type)                                                                                        \
    int name(const char *restrict path, struct status_type *restrict out)                                              \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        return FAILS(#name, EIO) ? -1 : real(path, out);                                                               \
    }
STAT(stat, stat)
STAT(lstat, stat)
STAT(stat64, stat64)
STAT(lstat64, stat64)

int fstat(int descriptor, struct stat *out)
{
    REAL(fstat);
    return FAILS("fstat", EIO) ? -1 : real(descriptor, out);
}

int fstatat(int folder, const char *restrict path, struct stat *restrict out, int flags)
{
    REAL(fstatat);
    return FAILS("fstatat", EIO) ? -1 : real(folder, path, out, flags);
}

int access(const char *path, int wanted)
{
    REAL(access);
    return FAILS("access", EIO) ? -1 : real(path, wanted);
}

char *realpath(const char *restrict path, char *restrict out)
{
    REAL(realpath);
    return FAILS("realpath", EIO) ? NULL : real(path, out);
}

DIR *opendir(const char *path)
{
    REAL(opendir);
    return FAILS("opendir", EMFILE) ? NULL : real(path);
}

DIR *fdopendir(int descriptor)
{
    REAL(fdopendir);
    return FAILS("fdopendir", EIO) ? NULL : real(descriptor);
}

struct dirent *readdir(DIR *folder)
{
    REAL(readdir);
    return FAILS("readdir", EIO) ? NULL : real(folder);
}

struct dirent64 *readdir64(DIR *folder)
{
    REAL(readdir64);
    return FAILS("readdir64", EIO) ? NULL : real(folder);
}

#define MMAP(name)                                                                                                     \
    void *name(void *at, size_t size, int protection, int flags, int descriptor, off_t offset)                         \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        return FAILS(#name, ENOMEM) ? MAP_FAILED : real(at, size, protection, flags, descriptor, offset);              \
    }
MMAP(mmap)
MMAP(mmap64)

int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*start)(void *),
                   void *restrict argument)
{
    REAL(pthread_create);
    return FAILS("pthread_create", EAGAIN) ? EAGAIN : real(thread, attributes, start, argument);
}
