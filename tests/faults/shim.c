/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/*
 * LD_PRELOAD=build/libinvar_faults.so: fails the K-th allocation or the K-th operation on files, from main on.
 *
 *   INVAR_FAULT=alloc:K        the K-th of malloc, calloc, realloc, aligned_alloc, posix_memalign
 *   INVAR_FAULT=file:K         the K-th of open, read, write, fsync, rename, mkdir, close, stat, readdir, flock, unlink,
 *                              truncate, ... (stdio's too; not descriptors 0 to 2), and pthread_create
 *   INVAR_FAULT=NAME:K         the K-th call of that name, as the log has it: readdir, "write of a stream"
 *   INVAR_FAULT=WHICH:K+       that one and all after it
 *   INVAR_FAULT=WHICH:K:ERRNO  with that error (EIO, ENOSPC, EMFILE, EACCES, EINTR, ENOMEM, EROFS), not its usual one
 *   INVAR_FAULT=sites          none; the log gets "site KIND K HASH" for each, HASH saying by which way the call came about
 *   INVAR_FAULT_LOG=FILE       gets "count alloc N", "count file N" at the end; "failed NAME" and a backtrace at the first
 *   INVAR_FAULT_SERVER=IN,OUT  many faults of one command, asked for through these descriptors (serve)
 *
 * Calls by invar, libc and invar's C libraries count. Not those by the loader, OpenMP, OpenBLAS, oneDNN and C++, which
 * end the process or wait for ever, nor by libsndfile and its codecs, which die of them.
 */
/* clang-format on */
#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_RANGES = 256, MAX_FRAMES = 48 };

static const char *const strangers[] = {
    "ld-linux",  "libgomp", "libomp",    "libopenblas", "libblas",     "liblapack.so",   "libgfortran", "libdnnl",
    "libstdc++", "libgcc",  "libOpenCL", "libtmglib",   "libquadmath", "libsndfile",     "libFLAC",     "libvorbis",
    "libopus",   "libogg",  "libmpg123", "libmp3lame",  "linux-vdso",  "libinvar_faults"};
static const char *const kind_names[] = {"alloc", "file"};

static struct {
    uintptr_t begin, end;
} ranges[MAX_RANGES];
static int range_count;
static atomic_bool armed;
static atomic_llong counts[2], named;
static char wanted_name[64]; /* "": all of the kind */
static enum shim_kind chosen;
static long long first; /* 0: none fails */
static bool for_ever;
static int wanted_errno;
static int log_descriptor = -1;
static FILE *site_log; /* when the sites are asked for */
static _Thread_local int depth;

static int add_object(struct dl_phdr_info *info, size_t size, void *user)
{
    (void)size, (void)user;
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++)
        if (strstr(info->dlpi_name, strangers[i]))
            return 0;
    for (int i = 0; i < info->dlpi_phnum && range_count < MAX_RANGES; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X) {
            ranges[range_count].begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            ranges[range_count].end = ranges[range_count].begin + info->dlpi_phdr[i].p_memsz;
            range_count++;
        }
    return 0;
}

bool shim_counts(const void *caller)
{
    const uintptr_t at = (uintptr_t)caller;
    if (!atomic_load_explicit(&armed, memory_order_relaxed) || depth)
        return false;
    for (int i = 0; i < range_count; i++)
        if (at >= ranges[i].begin && at < ranges[i].end)
            return true;
    return false;
}

static void note_failure(const char *name)
{
    void *frames[MAX_FRAMES];
    if (log_descriptor < 0)
        return;
    depth++;
    dprintf(log_descriptor, "failed %s\n", name);
    backtrace_symbols_fd(frames, backtrace(frames, MAX_FRAMES), log_descriptor);
    depth--;
}

/* The way to this call: its frames by their places in what was loaded, a recursion once. */
static uint64_t hash_of_frames(void)
{
    void *frames[MAX_FRAMES];
    uint64_t hash = 14695981039346656037u, before = 0;
    const int count = backtrace(frames, MAX_FRAMES);
    for (int f = 0; f < count; f++) {
        uint64_t place = 0;
        for (int i = 0; i < range_count && !place; i++)
            if ((uintptr_t)frames[f] >= ranges[i].begin && (uintptr_t)frames[f] < ranges[i].end)
                place = ((uint64_t)i << 48) + ((uintptr_t)frames[f] - ranges[i].begin);
        if (place && place != before)
            hash = (hash ^ place) * 1099511628211u;
        before = place;
    }
    return hash;
}

static void note_site(enum shim_kind kind, long long number)
{
    depth++;
    fprintf(site_log, "site %s %lld %016llx\n", kind_names[kind], number, (unsigned long long)hash_of_frames());
    depth--;
}

bool shim_fails(enum shim_kind kind, const void *caller, const char *name, int reason)
{
    if (!shim_counts(caller))
        return false;
    const long long number = atomic_fetch_add(&counts[kind], 1) + 1;
    if (site_log)
        note_site(kind, number);
    if (!first || (wanted_name[0] ? strcmp(name, wanted_name) != 0 : kind != chosen))
        return false;
    const long long turn = wanted_name[0] ? atomic_fetch_add(&named, 1) + 1 : number;
    if (!(turn == first || (for_ever && turn > first)))
        return false;
    if (turn == first)
        note_failure(name);
    errno = kind == SHIM_FILE && wanted_errno ? wanted_errno : reason;
    return true;
}

static void stop_wrong(const char *text)
{
    dprintf(STDERR_FILENO, "INVAR_FAULT=%s: expected alloc:K[+], file:K[+][:ERRNO] or NAME:K[+][:ERRNO]\n", text);
    _exit(99);
}

static int errno_of(const char *name)
{
    static const struct {
        const char *name;
        int value;
    } known[] = {{"EIO", EIO},     {"ENOSPC", ENOSPC}, {"EMFILE", EMFILE}, {"EACCES", EACCES},
                 {"EINTR", EINTR}, {"ENOMEM", ENOMEM}, {"EROFS", EROFS}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i].name) == 0)
            return known[i].value;
    return 0;
}

static void read_wish(const char *text)
{
    char *end = NULL;
    const char *number = strchr(text, ':');
    if (!number || (size_t)(number - text) >= sizeof wanted_name)
        stop_wrong(text);
    if (strncmp(text, "alloc:", 6) != 0 && strncmp(text, "file:", 5) != 0)
        memcpy(wanted_name, text, (size_t)(number - text));
    chosen = strncmp(text, "file:", 5) == 0 ? SHIM_FILE : SHIM_ALLOC;
    first = strtoll(number + 1, &end, 10);
    if (*end == '+') {
        for_ever = true;
        end++;
    }
    if (*end == ':' && (wanted_errno = errno_of(end + 1)) != 0)
        end = strchr(end, 0);
    if (first < 1 || *end)
        stop_wrong(text);
}

static int (*real_main)(int, char **, char **);

/* What of this call is to fail, and the file for what it says. */
static void arm(const char *wish, const char *log)
{
    if (log)
        log_descriptor = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (wish && strcmp(wish, "sites") == 0 && log)
        site_log = fopen(log, "ae");
    else if (wish && *wish)
        read_wish(wish);
    atomic_store(&armed, true);
}

static void stand_in(const char *path, int flags, int descriptor)
{
    const int opened = open(path, flags, 0666);
    if (opened < 0 || dup2(opened, descriptor) < 0)
        _exit(98);
    close(opened);
}

/* Loading sixty libraries costs more than most commands: a server does it once, and every fault is a child of it, made
 * before main. A request is a line of FAULT LOG FOLDER OUT ERR, separated by tabs; the answer the child's number, then
 * its status as wait() has it. Returns in the child. */
static void serve(int requests, int answers)
{
    static char line[8192];
    FILE *in = fdopen(requests, "r");
    while (in && fgets(line, sizeof line, in)) {
        int status = 0;
        const pid_t child = fork();
        if (child == 0) {
            char *field[5], *at = line;
            for (int i = 0; i < 5; i++)
                field[i] = strsep(&at, "\t\n");
            close(requests); /* not fclose: the position is the server's */
            close(answers);
            stand_in("/dev/null", O_RDONLY, STDIN_FILENO);
            stand_in(field[3], O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
            stand_in(field[4], O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
            if (chdir(field[2]) != 0)
                _exit(98);
            arm(field[0], field[1]);
            return;
        }
        dprintf(answers, "%d\n", (int)child);
        if (child < 0 || waitpid(child, &status, 0) < 0)
            _exit(98);
        dprintf(answers, "%d\n", status);
    }
    _exit(0);
}

/* Counting begins here: what libraries do before is theirs. */
static int counted_main(int argc, char **argv, char **environment)
{
    void *frames[4];
    int requests = 0, answers = 0;
    const char *server = getenv("INVAR_FAULT_SERVER");
    dl_iterate_phdr(add_object, NULL);
    (void)backtrace(frames, 4); /* loads what it needs */
    if (server && sscanf(server, "%d,%d", &requests, &answers) == 2)
        serve(requests, answers);
    else
        arm(getenv("INVAR_FAULT"), getenv("INVAR_FAULT_LOG"));
    return real_main(argc, argv, environment);
}

__attribute__((destructor)) static void tell_counts(void)
{
    atomic_store(&armed, false);
    if (site_log)
        fclose(site_log);
    for (int kind = 0; kind < 2 && log_descriptor >= 0; kind++)
        dprintf(log_descriptor, "count %s %lld\n", kind_names[kind], atomic_load(&counts[kind]));
}

int __libc_start_main(int (*main_function)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*loader_fini)(void), void *stack_end);

int __libc_start_main(int (*main_function)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*loader_fini)(void), void *stack_end)
{
    int (*start)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void), void (*)(void), void *);
    *(void **)&start = dlsym(RTLD_NEXT, "__libc_start_main");
    real_main = main_function;
    return start(counted_main, argc, argv, init, fini, loader_fini, stack_end);
}
