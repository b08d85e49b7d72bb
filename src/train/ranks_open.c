/* SPDX-License-Identifier: Apache-2.0 */
/* Finding out whether a launcher started several processes, and opening what they talk by: a library of its own, so
 * that nobody needs MPI who trains alone. */
#include "train/ranks.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLUGIN "libinvar-mpi.so"
#ifndef INVAR_PLUGIN_FOLDER /* where it is installed; CMake says so */
#define INVAR_PLUGIN_FOLDER "."
#endif

/* Of an environment variable; -1 where there is none. */
static int number(const char *name)
{
    const char *text = getenv(name);

    return text && *text ? (int)strtol(text, NULL, 10) : -1;
}

/* Open MPI's mpirun, what MPICH and others do, and srun, which tells the tasks of its step. */
int invar_ranks_launched(int *rank)
{
    static const struct {
        const char *count, *rank;
    } launchers[] = {{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"},
                     {"PMI_SIZE", "PMI_RANK"},
                     {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID"}};

    *rank = 0;
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
        const int count = number(launchers[i].count), own = number(launchers[i].rank);
        if (count > 1 && own >= 0 && own < count) {
            *rank = own;
            return count;
        }
    }
    return 1;
}

/* Beside the program or library that this is part of, then where it is installed. */
static void *open_plugin(char *why, size_t size)
{
    char path[PATH_MAX];
    void *plugin = NULL;
    Dl_info here;

    if (dladdr(PLUGIN, &here) && here.dli_fname) {
        const char *slash = strrchr(here.dli_fname, '/');
        const int length = slash ? (int)(slash - here.dli_fname) + 1 : 0;
        snprintf(path, sizeof path, "%.*s%s%s", length, here.dli_fname, slash ? "" : "./", PLUGIN);
        plugin = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
        if (!plugin) {
            snprintf(why, size, "%s", dlerror());
            /* One that is there and cannot be opened is the reason that people want to read. */
            if (!strstr(why, PLUGIN ": cannot open shared object file"))
                return NULL;
        }
    }
    if (!plugin && !(plugin = dlopen(INVAR_PLUGIN_FOLDER "/" PLUGIN, RTLD_NOW | RTLD_GLOBAL)))
        snprintf(why, size, "%s", dlerror());
    return plugin;
}

/* By name and version: an old plugin beside a new library has no function of the name that is looked for. A union,
 * since C knows no way from an object's pointer to a function's. It stays open to the end of the process, as MPI does.
 */
static invar_ranks_opener *find_opener(int launched, struct invar_error *err)
{
    char why[512] = "";
    void *plugin = open_plugin(why, sizeof why);
    union {
        void *object;
        invar_ranks_opener *function;
    } opener = {plugin ? dlsym(plugin, INVAR_RANKS_OPEN) : NULL};

    if (!plugin)
        invar_error_set(err, INVAR_ERROR_SYSTEM,
                        "%d processes were started, and they talk by MPI, which cannot be opened (%s): install "
                        "libinvar-mpi with its Open MPI, or start one process",
                        launched, why);
    else if (!opener.object)
        invar_error_set(err, INVAR_ERROR_SYSTEM, "%s is of another version of invar: install both from one package",
                        PLUGIN);
    return opener.function;
}

/* A launcher of another MPI starts processes each of which believes to be alone: they would all train the same run. */
bool invar_ranks_open(struct invar_ranks **out, double timeout, struct invar_error *err)
{
    struct invar_ranks_opened opened = {0};
    int rank;
    const int launched = invar_ranks_launched(&rank);

    *out = NULL;
    if (launched == 1)
        return true;
    invar_ranks_opener *open = find_opener(launched, err);
    if (!open || !open(timeout, &opened, err))
        return false;
    if (opened.count != launched) {
        opened.table->close(opened.state, false);
        return invar_error_set(err, INVAR_ERROR_SYSTEM,
                               "%d processes were started, but Open MPI sees %d: start them by its own mpirun, or by "
                               "srun --mpi=pmix",
                               launched, opened.count);
    }
    *out = invar_ranks_create(opened.table, opened.state, opened.count, opened.rank, err);
    return *out != NULL;
}
