/* SPDX-License-Identifier: Apache-2.0 */
#include "env/child.h"
#include "base/proc.h"
#include "invar/memory.h"
#include "invar/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { SAID = 512, LOWEST = 10, LOOK = 100 /* ms from one look at the process to the next */ };
static const double grace = 3; /* seconds to end by itself in, once the socket ends; worker.py has the same */

struct env_child {
    const char *who;
    double patience; /* seconds */
    pid_t pid;       /* 0: there is none any more */
    int link, said, memory;
    void *shared;
    size_t size;
    char last[SAID]; /* the line that it said last, whole or not */
    size_t used;
    char failure[INVAR_ERROR_MESSAGE_SIZE]; /* what every later call says, too */
};

static void close_all(int *descriptor, int count)
{
    for (int i = 0; i < count; i++)
        if (descriptor[i] >= 0)
            close(descriptor[i]);
}

/* Above those that the child will have, which dup2 must not close on the way. */
static bool lift(int *descriptor)
{
    const int lifted = *descriptor < 0 ? -1 : fcntl(*descriptor, F_DUPFD_CLOEXEC, LOWEST);

    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = lifted;
    return lifted >= 0;
}

/* What both ends need: text and memory, two of the socket, two of the pipe. */
enum { TEXT, MEMORY, LINK, LINK_CHILD, SAID_HERE, SAID_CHILD, ENDS };

static bool open_ends(int end[ENDS], const char *text, size_t size)
{
    end[TEXT] = memfd_create("invar-program", MFD_CLOEXEC);
    end[MEMORY] = memfd_create("invar-frames", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool ok = end[TEXT] >= 0 && end[MEMORY] >= 0 &&
              socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, &end[LINK]) == 0 &&
              pipe2(&end[SAID_HERE], O_CLOEXEC) == 0;
    for (int i = 0; ok && i < ENDS; i++)
        ok = lift(&end[i]);
    return ok && fcntl(end[SAID_HERE], F_SETFL, O_NONBLOCK) == 0 && fcntl(end[LINK], F_SETFL, O_NONBLOCK) == 0 &&
           write(end[TEXT], text, size) == (ssize_t)size && lseek(end[TEXT], 0, SEEK_SET) == 0;
}

/* 0, or why it could not be started. */
static int spawn(pid_t *pid, const char *program, const int end[ENDS])
{
    char *argv[] = {NULL, NULL, NULL, NULL}, unbuffered[] = "-u", input[] = "-";
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    char name[4096];
    int status = posix_spawn_file_actions_init(&actions);

    if (status != 0)
        return status;
    status = posix_spawnattr_init(&attributes);
    if (status != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return status;
    }
    snprintf(name, sizeof name, "%s", program);
    argv[0] = name, argv[1] = unbuffered, argv[2] = input;
    sigemptyset(&none);
    sigfillset(&all);
    const int from[] = {end[TEXT], end[SAID_CHILD], end[SAID_CHILD], end[LINK_CHILD], end[MEMORY]};
    for (int i = 0; i < 5 && status == 0; i++)
        status = posix_spawn_file_actions_adddup2(&actions, from[i], i);
    if (status == 0)
        status = posix_spawn_file_actions_addclosefrom_np(&actions, 5);
    if (status == 0)
        status = posix_spawnattr_setflags(&attributes,
                                          POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (status == 0)
        status = posix_spawnattr_setsigmask(&attributes, &none);
    if (status == 0)
        status = posix_spawnattr_setsigdefault(&attributes, &all);
    if (status == 0)
        status = posix_spawnp(pid, name, &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return status;
}

struct env_child *env_child_start(const char *program, const char *text, size_t size, const char *who, double patience,
                                  struct invar_error *err)
{
    struct env_child *child = invar_alloc(1, sizeof *child, err);
    int end[ENDS] = {-1, -1, -1, -1, -1, -1};

    if (!child)
        return NULL;
    child->who = who;
    child->patience = patience;
    if (!open_ends(end, text, size)) {
        invar_error_set(err, INVAR_ERROR_SYSTEM, "%s: a process for it cannot be prepared: %s", who, strerror(errno));
        goto failed;
    }
    const int status = spawn(&child->pid, program, end);
    if (status == ENOENT) {
        invar_error_set(
            err, INVAR_ERROR_USAGE,
            "%s: there is no program \"%s\"; install Python (Debian: apt install python3-venv), or name one "
            "by env.python or INVAR_PYTHON",
            who, program);
        goto failed;
    }
    if (status != 0) {
        invar_error_set(err, INVAR_ERROR_SYSTEM,
                        "%s: \"%s\" cannot be run: %s; name a Python by env.python or "
                        "INVAR_PYTHON",
                        who, program, strerror(status));
        goto failed;
    }
    child->link = end[LINK], child->said = end[SAID_HERE], child->memory = end[MEMORY];
    close_all((int[]){end[TEXT], end[LINK_CHILD], end[SAID_CHILD]}, 3);
    return child;
failed:
    close_all(end, ENDS);
    invar_free(child);
    return NULL;
}

/* ---- what it says, and its end ---- */

/* Keeps the last line that is not empty; false at the end. */
static bool listen_to(struct env_child *child)
{
    char heard[1024];
    ssize_t count = read(child->said, heard, sizeof heard);

    for (ssize_t i = 0; i < count; i++) {
        const bool ends = child->used > 0 && child->last[child->used - 1] == '\n';
        if (heard[i] == '\n' && (ends || child->used == 0))
            continue;
        if (ends)
            child->used = 0;
        if (child->used < SAID - 1)
            child->last[child->used++] = heard[i];
        else if (heard[i] == '\n')
            child->last[child->used - 1] = '\n';
    }
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Kills the group and takes the status; -1 where somebody else took it, as a program that ignores SIGCHLD does. */
static int reap(struct env_child *child)
{
    siginfo_t info;
    int status = -1;

    if (child->pid <= 0)
        return -1;
    if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
        kill(-child->pid, SIGKILL);
        while (waitpid(child->pid, &status, 0) < 0)
            if (errno != EINTR) {
                status = -1;
                break;
            }
    }
    child->pid = 0;
    return status;
}

/* Whether the process is no more, which what it started may hide: that has the socket, too. */
static bool is_over(const struct env_child *child)
{
    siginfo_t info = {0};

    return child->pid <= 0 || waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           info.si_pid != 0;
}

static void wait_for(const struct env_child *child, short events, double until, struct pollfd at[2])
{
    const double left = (until - invar_seconds()) * 1000;

    at[0] = (struct pollfd){.fd = child->link, .events = events};
    at[1] = (struct pollfd){.fd = child->said, .events = POLLIN};
    if (poll(at, 2, left <= 0 ? 0 : left < LOOK ? (int)left + 1 : LOOK) < 0)
        at[0].revents = at[1].revents = 0;
}

/* Hears what it says until it is over and says no more, for so long at most. */
static void hear_out(struct env_child *child, double seconds)
{
    const double until = invar_seconds() + seconds;
    struct pollfd at = {.fd = child->said, .events = POLLIN};

    while (invar_seconds() < until) {
        const bool says = poll(&at, 1, at.fd < 0 ? 1 : LOOK / 10) > 0;
        if (says && !listen_to(child))
            at.fd = -1;
        if (!says && is_over(child))
            break;
    }
}

/* The sentence about a child that hung up, once and for all. */
static bool has_ended(struct env_child *child, struct invar_error *err)
{
    char how[64] = "";

    hear_out(child, 2);
    const int status = reap(child);
    if (status >= 0 && WIFSIGNALED(status))
        snprintf(how, sizeof how, " by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (status >= 0 && WIFEXITED(status))
        snprintf(how, sizeof how, " with status %d", WEXITSTATUS(status));
    while (child->used && child->last[child->used - 1] == '\n')
        child->used--;
    snprintf(child->failure, sizeof child->failure, "%s: its process ended%s%s%.*s%s", child->who, how,
             child->used ? "; the last it said was \"" : ", and said nothing", (int)child->used, child->last,
             child->used ? "\"" : "");
    return invar_error_set(err, INVAR_ERROR_SYSTEM, "%s", child->failure);
}

static bool is_late(struct env_child *child, struct invar_error *err)
{
    snprintf(child->failure, sizeof child->failure,
             "%s: gave no answer for %g s and was ended; raise env.timeout if it is only slow", child->who,
             child->patience);
    reap(child);
    return invar_error_set(err, INVAR_ERROR_SYSTEM, "%s", child->failure);
}

void env_child_end(struct env_child *child)
{
    if (!child)
        return;
    shutdown(child->link, SHUT_WR);
    if (!child->failure[0])
        hear_out(child, grace);
    reap(child);
    if (child->shared)
        munmap(child->shared, child->size);
    close_all((int[]){child->link, child->said, child->memory}, 3);
    invar_free(child);
}

/* ---- bytes ---- */

/* Moves all of them, one way or the other, and hears on the way what the child says, so that it never waits for us. */
static bool move(struct env_child *child, char *in, const char *out, size_t size, struct invar_error *err)
{
    double until = invar_seconds() + child->patience;
    size_t done = 0;
    bool over = false;

    if (child->failure[0])
        return invar_error_set(err, INVAR_ERROR_SYSTEM, "%s", child->failure);
    while (done < size) {
        const ssize_t count = in ? recv(child->link, in + done, size - done, 0)
                                 : send(child->link, out + done, size - done, MSG_NOSIGNAL);
        if (count > 0) {
            done += (size_t)count;
            continue;
        }
        if (count == 0 || over || (errno != EAGAIN && errno != EINTR))
            return has_ended(child, err);
        struct pollfd at[2];
        wait_for(child, in ? POLLIN : POLLOUT, until, at);
        if (at[1].revents & POLLIN)
            listen_to(child);
        over = !at[0].revents && is_over(child);
        if (!over && !at[0].revents && invar_seconds() >= until)
            return is_late(child, err);
    }
    return true;
}

bool env_child_send(struct env_child *child, const void *data, size_t size, struct invar_error *err)
{
    return move(child, NULL, data, size, err);
}

bool env_child_receive(struct env_child *child, void *data, size_t size, struct invar_error *err)
{
    return move(child, data, NULL, size, err);
}

void *env_child_share(struct env_child *child, size_t size, struct invar_error *err)
{
    void *shared = MAP_FAILED;

    if (ftruncate(child->memory, (off_t)size) == 0 &&
        fcntl(child->memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, child->memory, 0);
    if (shared == MAP_FAILED) {
        invar_error_set(err, INVAR_ERROR_SYSTEM, "%s: %zu bytes cannot be shared with its process: %s", child->who,
                        size, strerror(errno));
        return NULL;
    }
    child->shared = shared;
    child->size = size;
    return shared;
}

/* Pages of the program and its libraries are shared by all children, and written in by none. */
int64_t env_child_memory(const struct env_child *child)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)child->pid);
    return proc_bytes(path, "Anonymous");
}
