/* SPDX-License-Identifier: Apache-2.0 */
/* Which checkpoints a folder has, and which of them are kept. */
#include "train/folder.h"

#include "invar/expert/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void checkpoint_name(char *out, size_t size, int64_t step)
{
    snprintf(out, size, "checkpoint-%08lld.safetensors", (long long)step);
}

/* The step in the name of a checkpoint, or -1. A name is made again from the step and compared, so that
 * "checkpoint-1.safetensors" or one with spaces, which sscanf would take, is nobody's checkpoint and is never
 * removed. */
static int64_t step_of(const char *name)
{
    char expected[64];
    long long step;

    if (sscanf(name, "checkpoint-%lld.safetensors", &step) != 1 || step < 0)
        return -1;
    checkpoint_name(expected, sizeof expected, step);
    return strcmp(name, expected) == 0 ? step : -1;
}

static bool cannot_list(const char *folder, int reason, struct invar_error *err)
{
    return invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be listed: %s", folder, strerror(reason));
}

/* *newest: the newest step that is below `below` and has a checkpoint; -1 when there is none. By name and not by
 * time: times are changed by copying. */
bool folder_newest(const char *folder, int64_t below, int64_t *newest, struct invar_error *err)
{
    const struct dirent *entry;
    DIR *dir = opendir(folder);

    *newest = -1;
    if (!dir)
        return errno == ENOENT || cannot_list(folder, errno, err);
    while (errno = 0, (entry = readdir(dir))) {
        int64_t step = step_of(entry->d_name);
        if (step < below && step > *newest)
            *newest = step;
    }
    const int reason = errno;
    closedir(dir);
    return reason == 0 || cannot_list(folder, reason, err);
}

/* Keeps this checkpoint and the good one before it; others are older, or damaged. Two are kept because the newest may
 * be the torn one: a disk that lies about having written shows only after power is lost. */
bool folder_prune(const struct invar_folder *f, int64_t step, int64_t before, struct invar_error *err)
{
    char path[INVAR_PATH_SIZE];
    const struct dirent *entry;
    DIR *dir = opendir(f->path);
    bool ok = true;

    if (!dir)
        return cannot_list(f->path, errno, err);
    while (errno = 0, ok && (entry = readdir(dir))) {
        const int64_t found = step_of(entry->d_name);
        if (found < 0 || found == step || found == before)
            continue;
        ok = folder_path(f, entry->d_name, path, err) &&
             (unlink(path) == 0 || errno == ENOENT ||
              invar_error_set(err, INVAR_ERROR_FILE, "%s: is no longer needed and cannot be removed: %s", path,
                              strerror(errno)));
    }
    const int reason = ok ? errno : 0;
    closedir(dir);
    return ok && (reason == 0 || cannot_list(f->path, reason, err));
}
