/* SPDX-License-Identifier: Apache-2.0 */
#include "invar/watch.h"

#include <time.h>

double invar_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

bool invar_watch_tell(const struct invar_watch *watch, const struct invar_progress *progress, struct invar_error *err)
{
    return !watch || !watch->told || watch->told(watch->user, progress) ||
           invar_error_set(err, INVAR_ERROR_INTERRUPTED,
                           "interrupted after %lld of %lld %s (%s), which are lost; what was finished before stays",
                           (long long)progress->done, (long long)progress->total, progress->unit, progress->what);
}
