/* SPDX-License-Identifier: Apache-2.0 */
/* LD_PRELOAD=build/libinvar_slow.so: fsync of files of 8 KiB and more takes INVAR_SLOW seconds longer, as on a disk
 * that is busy. */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int fsync(int descriptor)
{
    const char *seconds = getenv("INVAR_SLOW");
    union {
        void *object;
        int (*function)(int);
    } next = {dlsym(RTLD_NEXT, "fsync")};
    struct stat status;

    if (fstat(descriptor, &status) == 0 && status.st_size >= 8192)
        sleep(seconds ? (unsigned)strtoul(seconds, NULL, 10) : 0);
    return next.function(descriptor);
}
