/* SPDX-License-Identifier: Apache-2.0 */
/* Several processes of one command, started by mpirun or srun: they speak as one. */
#include "base/names.h"
#include "cli/cli.h"
#include "train/alike.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int voice = -1; /* standard error of a process that is silent */

/* Its standard output and error are the first process's copies of one terminal, or of one file. */
static void fall_silent(void)
{
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    voice = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (nowhere >= 0) {
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
        close(nowhere);
    }
}

bool cli_ranks_begin(const char *verb, int *status)
{
    static const char *const verbs[] = {"pretrain", "bench", "probe", "embed", "robustness", NULL};
    int rank;
    const int count = ranks_launched(&rank);

    if (count > 1 && rank > 0)
        fall_silent();
    if (count == 1 || verb[0] == '-' || names_look(NAMES_TEXTS("verb", verbs), verb, strlen(verb)))
        return true;
    cli_message("%s is of one process, and %d were started: start it without mpirun or srun", verb, count);
    *status = CLI_USAGE;
    return false;
}

bool cli_ranks_open(struct invar_ranks **out, const char *verb, int64_t timeout, struct invar_error *err)
{
    return invar_ranks_open(out, (double)timeout, err) &&
           ranks_same(*out, verb, "runs invar", "start the same command everywhere", err);
}

/* What all have agreed on the first says. Else the others may be gone or waiting, the first among them: of those that
 * notice the lowest speaks, and then ends them all before the next would. Where they never met mpirun ends them, which
 * takes it longer. */
int cli_ranks_fail(struct invar_ranks *ranks, const struct invar_error *err)
{
    int rank;

    ranks_launched(&rank);
    if (!ranks_agreed_to_end(ranks))
        ranks_fail(ranks, err);
    if (!ranks_agreed_to_end(ranks) && rank > 0) {
        const int tenths = 3 * rank + (ranks ? 0 : 20);
        nanosleep(&(struct timespec){tenths / 10, tenths % 10 * 100000000}, NULL);
        if (voice >= 0)
            dup2(voice, STDERR_FILENO);
    }
    return cli_fail(err);
}

int cli_ranks_end(struct invar_ranks *ranks, int status)
{
    invar_ranks_close(ranks);
    return status;
}
