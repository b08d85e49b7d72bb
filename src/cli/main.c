/* SPDX-License-Identifier: Apache-2.0 */
/* The command: finds the verb in the table and runs it. */
#include "cli/cli.h"
#include "base/json.h"
#include "base/names.h"
#include "invar/agent.h"
#include "invar/device.h"
#include "invar/options.h"
#include "invar/train.h"
#include "invar/version.h"

#include <errno.h>
#include <fcntl.h>
#include <omp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ENTRY(name, help) {#name, invar_cli_##name, help},
#define NAME(name, help) #name,

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} verbs[] = {CLI_VERBS(ENTRY){NULL, NULL, NULL}};

static void print_help(FILE *stream)
{
    fprintf(stream, CLI_PURPOSE "\n\nusage: invar VERB [ARGUMENTS]\n\n");
    for (const struct verb *verb = verbs; verb->name; verb++)
        fprintf(stream, "  %-10s %s\n", verb->name, verb->help);
    fprintf(stream, "\n  help TOPIC a verb, or a section, term, encoder or option of recipes\n"
                    "  --help     this text; `invar VERB --help` explains a verb\n"
                    "  --version  the version, and the library that computes\n\n"
                    "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.\n");
}

/* What `invar VERB --help` says, or the options of a recipe that are about the topic. */
static int explain(char *topic)
{
    struct invar_error err = {0};
    struct invar_text agents = {0}, text = {0};
    static const char *const names[] = {CLI_VERBS(NAME) NULL};
    const struct verb *verb = names_look(NAMES_ROWS("verb", verbs), topic, strlen(topic));

    if (verb)
        return verb->run(2, (char *[]){topic, "--help", NULL});
    const bool known =
        invar_agent_recipe_schema(&agents, &err) && invar_recipe_help(topic, agents.data, names, &text, &err);
    fputs(text.data ? text.data : "", stdout);
    invar_text_free(&agents);
    invar_text_free(&text);
    return known ? CLI_DONE : cli_fail(&err);
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 && argc > 2)
        return explain(argv[2]);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return CLI_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        char engine[96];
        invar_device_engine("cpu", engine, sizeof engine);
        printf("invar %s (%s)\n", INVAR_VERSION, engine);
        return CLI_DONE;
    }
    struct invar_error err = {0};
    int status;
    if (!cli_ranks_begin(argv[1], &status))
        return status;
    const struct verb *verb = names_find(NAMES_ROWS("verb", verbs), NULL, argv[1], &err);
    return verb ? verb->run(argc - 1, argv + 1) : cli_fail(&err);
}

/* Threads that wait for each other spin, and libgomp's default is to spin for seconds: with anything else running on
   the same cores a step then takes ten times as long. A short spin loses nothing on a quiet machine. libgomp reads this
   once, before main, so the command starts itself anew with it, unless the user has chosen. */
static void spin_briefly(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT") || setenv("GOMP_SPINCOUNT", "20000", 1) != 0)
        return;
    execv("/proc/self/exe", argv); /* on failure: go on as we are */
}

#ifndef __SANITIZE_ADDRESS__
/* OpenBLAS 0.3.21 takes 128 MiB of address space a core in its constructor, and where they cannot be had asks for
   them for ever (two cores are reckoned with). Only what stands in .preinit_array of the program comes before the
   constructors of libraries. */
static void check_address_space(void)
{
    static const char message[] =
        "invar: 320 MiB of address space cannot be had, which the linear algebra takes before "
        "anything else: raise the limit (ulimit -v)\n";
    const size_t needed = (size_t)320 << 20;
    void *space = mmap(NULL, needed, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space != MAP_FAILED) {
        munmap(space, needed);
        return;
    }
    const ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);
    (void)written;
    _exit(CLI_FAILED);
}
__attribute__((section(".preinit_array"), used)) static void (*const before_libraries)(void) = check_address_space;
#endif

/* A file that is opened while 0, 1 or 2 are free becomes the standard input or output of whatever prints next. Their
   places are taken by what can be neither read nor written, so that output which nobody gets still fails. */
static bool hold_standard_descriptors(void)
{
    for (int number = STDIN_FILENO; number <= STDERR_FILENO; number++)
        if (fcntl(number, F_GETFD) < 0 && open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY) != number)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    if (!hold_standard_descriptors())
        return CLI_FAILED;
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error of its writer, which has a sentence for it */
    spin_briefly(argv);
    cli_guard_output();
    cli_log_start();
    json_begin();
    omp_set_dynamic(0);
    struct invar_error err = {0};
    int status = run(argc, argv);
    /* What text is printed from is JSON, too, and who printed it need not have looked. */
    if (status == CLI_DONE && !json_whole("what was printed", &err))
        status = cli_fail(&err);
    errno = 0;
    if ((fflush(stdout) || ferror(stdout) || fflush(cli_raw_output()) || ferror(cli_raw_output())) &&
        status == CLI_DONE) {
        cli_message("the result cannot be written to standard output: %s", errno ? strerror(errno) : "output error");
        status = CLI_FAILED;
    }
    return status;
}
