/* SPDX-License-Identifier: Apache-2.0 */
/* The command: finds the verb in the table and runs it. */
#include "cli/cli.h"
#include "base/json.h"
#include "invar/device.h"
#include "invar/options.h"
#include "invar/version.h"

#include <errno.h>
#include <fcntl.h>
#include <omp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

static const struct verb verbs[] = {
    {"data", invar_cli_data, "what is in a source: samples, shapes, classes, statistics, problems"},
    {"recipes", invar_cli_recipes, "the recipes that ship, and every option with its default"},
    {"pretrain", invar_cli_pretrain, "train an encoder as a recipe says, into a run folder"},
    {"probe", invar_cli_probe, "how well labels can be read from what a run learned, beside baselines"},
    {"robustness", invar_cli_robustness, "errors of the probe under the common image corruptions, mCE and mrCE"},
    {"embed", invar_cli_embed, "representations of data by the encoder of a run, as a NumPy array"},
    {"export", invar_cli_export, "the encoder of a run for programs that know nothing of invar: ONNX, C, weights"},
    {"inspect", invar_cli_inspect, "entropy, rank, spectrum and class separation of what a run learned"},
    {"compare", invar_cli_compare, "runs side by side: means over seeds with intervals, paired differences"},
    {"report", invar_cli_report, "one HTML page about a run, or about several side by side"},
    {"loss", invar_cli_loss, "a term of an objective on given embeddings, with its gradient"},
    {"bench", invar_cli_bench,
     "training steps on this machine: rate, fraction of its matrix peak, where the time goes"},
    {NULL, NULL, NULL},
};

static void print_help(FILE *stream)
{
    fprintf(stream,
            "invar learns representations without labels: it trains an encoder whose output stays the same under\n"
            "changes that do not matter.\n\n"
            "usage: invar VERB [ARGUMENTS]\n\n");
    for (const struct verb *verb = verbs; verb->name; verb++)
        fprintf(stream, "  %-10s %s\n", verb->name, verb->help);
    fprintf(stream, "\n  --help     this text; `invar VERB --help` explains a verb\n"
                    "  --version  the version, and the library that computes\n\n"
                    "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.\n");
}

static int unknown_verb(const char *name)
{
    const char *names[sizeof verbs / sizeof verbs[0]];
    int count = 0;
    for (const struct verb *verb = verbs; verb->name; verb++)
        names[count++] = verb->name;
    names[count] = NULL;
    const char *nearest = invar_nearest_name(name, names);
    if (nearest)
        cli_message("there is no verb `%s`; did you mean `%s`? `invar --help` lists them", name, nearest);
    else
        cli_message("there is no verb `%s`; `invar --help` lists them", name);
    return CLI_USAGE;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
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
    for (const struct verb *verb = verbs; verb->name; verb++)
        if (strcmp(argv[1], verb->name) == 0)
            return verb->run(argc - 1, argv + 1);
    return unknown_verb(argv[1]);
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
