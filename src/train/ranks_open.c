/* SPDX-License-Identifier: Apache-2.0 */
/* Finding out whether a launcher started several processes, and opening what they talk by: a library of its own, so
 * that nobody needs MPI who trains alone. */
#include "train/alike.h"

#include "invar/version.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLUGIN "libinvar-mpi.so"
/* Where it is installed, and the way there from the folder of programs; CMake says so. */
#ifndef INVAR_PLUGIN_FOLDER
#define INVAR_PLUGIN_FOLDER "."
#define INVAR_PLUGIN_FROM_PROGRAMS "."
#endif

/* Of an environment variable; -1 where there is none. */
static int number(const char *name)
{
    const char *text = getenv(name);

    return text && *text ? (int)strtol(text, NULL, 10) : -1;
}

/* Open MPI's mpirun, what MPICH and others do, and srun, which tells the tasks of its step. */
int ranks_launched(int *rank)
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

/* The folder of the program or library that this is part of, with its last slash. Of a program dladdr knows no more
 * than what it was called as, which may be a word without a folder. */
static bool find_own_folder(char out[PATH_MAX])
{
    Dl_info here;
    struct link_map *map = NULL;
    const bool known = dladdr1(PLUGIN, &here, (void **)&map, RTLD_DL_LINKMAP) && map && *map->l_name;

    if (!realpath(known ? map->l_name : "/proc/self/exe", out))
        return false;
    *(strrchr(out, '/') + 1) = '\0';
    return true;
}

/* Beside this program or library (a build folder), where it lies from an installed library or program wherever that was
 * moved to, and where it was to be installed (for programs with libinvar.a inside). */
static void *open_plugin(char *why, size_t size)
{
    static const char *const places[] = {"", "invar/", INVAR_PLUGIN_FROM_PROGRAMS "/", INVAR_PLUGIN_FOLDER "/"};
    char own[PATH_MAX], path[2 * PATH_MAX];

    snprintf(why, size, "there is no %s", PLUGIN);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (places[i][0] != '/' && !find_own_folder(own))
            continue;
        snprintf(path, sizeof path, "%s%s%s", places[i][0] == '/' ? "" : own, places[i], PLUGIN);
        if (access(path, F_OK) != 0)
            continue;
        void *plugin = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
        if (!plugin)
            snprintf(why, size, "%s", dlerror());
        return plugin;
    }
    return NULL;
}

/* By name and version: an old plugin beside a new library has no function of the name that is looked for. A union,
 * since C knows no way from an object's pointer to a function's. It stays open to the end of the process, as MPI does.
 */
static ranks_opener *find_opener(int launched, struct invar_error *err)
{
    char why[512] = "";
    void *plugin = open_plugin(why, sizeof why);
    union {
        void *object;
        ranks_opener *function;
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
    const int launched = ranks_launched(&rank);

    *out = NULL;
    if (launched == 1)
        return true;
    ranks_opener *open = find_opener(launched, err);
    if (!open || !open(timeout, &opened, err))
        return false;
    if (opened.count != launched) {
        opened.table->close(opened.state, false);
        return invar_error_set(err, INVAR_ERROR_SYSTEM,
                               "%d processes were started, but Open MPI sees %d: start them by its own mpirun, or by "
                               "srun --mpi=pmix",
                               launched, opened.count);
    }
    *out = ranks_create(opened.table, opened.state, opened.count, opened.rank, err);
    return *out && ranks_same(*out, INVAR_VERSION, "runs invar", "install one version everywhere", err);
}
