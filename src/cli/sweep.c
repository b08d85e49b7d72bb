/* SPDX-License-Identifier: Apache-2.0 */
/* invar sweep RECIPE KEY=A,B,C: a run for every combination of values, side by side, then one table. */
#include "cli/cli.h"
#include "invar/expert/file.h"
#include "invar/run.h"
#include "study/sweep.h"

#include <fcntl.h>
#include <omp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, WORDS = STUDY_SWEEP_KEYS + 10 };

struct sweeping {
    const char *recipe, *folder, *sort;
    char threads[24];
    int64_t jobs, threads_each;
    bool no_probe, dry_run;
    int first_failed, first_status; /* -1: none; as waitpid has it */
    struct study_sweep runs;
};

static const char *path_of(const struct sweeping *s, int i, const char *file, char out[PATH_SIZE])
{
    snprintf(out, PATH_SIZE, "%s/%s%s", s->folder, s->runs.run[i].name, file);
    return out;
}

static bool has(const struct sweeping *s, int i, const char *file)
{
    char path[PATH_SIZE];

    return access(path_of(s, i, file, path), F_OK) == 0;
}

/* The command itself on a run; what it says goes to FOLDER/NAME.log. 0: it could not be started. */
static pid_t start(const struct sweeping *s, int i, bool training)
{
    char path[PATH_SIZE], log[PATH_SIZE];
    const char *words[WORDS] = {"invar", training ? "pretrain" : "probe", "--threads", s->threads};
    int count = 4;

    path_of(s, i, "", path);
    words[count++] = training ? s->recipe : path;
    for (int k = 0; training && k < s->runs.keys; k++)
        words[count++] = s->runs.run[i].setting[k];
    if (training) {
        words[count++] = "--run";
        words[count++] = path;
        if (has(s, i, ""))
            words[count++] = "--resume";
    }
    const pid_t child = fork();
    if (child == 0) {
        /* it is not left behind, at work on a folder that the same command would want again */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int said = open(path_of(s, i, ".log", log), O_WRONLY | O_CREAT | O_APPEND, 0666);
        if (dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO) >= 0 && dup2(said, STDERR_FILENO) >= 0)
            execv("/proc/self/exe", (char *const *)words); /* it changes none of the words */
        _exit(127);
    }
    return child > 0 ? child : 0;
}

static int count_failed(struct sweeping *s, int i, int status)
{
    if (s->first_failed < 0 || i < s->first_failed) {
        s->first_failed = i;
        s->first_status = status;
    }
    return 1;
}

/* Trains (or probes) every run that is not yet, so many at once; the number that failed. */
static int work(struct sweeping *s, bool training)
{
    const char *done = training ? "/encoder.safetensors" : "/probe.json";
    struct {
        pid_t pid;
        int run;
    } child[STUDY_SWEEP_JOBS];
    int running = 0, next = 0, failed = 0, status;
    bool told = false;

    while (next < s->runs.count || running > 0) {
        while (!cli_stop && running < s->jobs && next < s->runs.count) {
            const int i = next++;
            if (has(s, i, done) || (!training && !has(s, i, "/encoder.safetensors")))
                continue;
            cli_message("%s %d of %d: %s", training ? "training" : "probing", i + 1, s->runs.count,
                        s->runs.run[i].name);
            child[running].run = i;
            child[running].pid = start(s, i, training);
            if (child[running].pid)
                running++;
            else
                failed += count_failed(s, i, 0);
        }
        if (cli_stop && !told) /* a terminal tells them itself; each leaves a checkpoint */
            for (int c = 0; c < running; c++)
                kill(child[c].pid, SIGTERM);
        told = cli_stop;
        next = cli_stop ? s->runs.count : next;
        const pid_t ended = running ? waitpid(-1, &status, WNOHANG) : 0;
        if (running && ended == 0)
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        for (int c = 0; ended > 0 && c < running; c++)
            if (child[c].pid == ended) {
                if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                    failed += count_failed(s, child[c].run, status);
                child[c--] = child[--running];
            }
    }
    return failed;
}

static int print_runs(const struct sweeping *s)
{
    struct invar_error err = {0};
    bool done[STUDY_SWEEP_RUNS];
    double seconds;
    char text[32];

    for (int i = 0; i < s->runs.count; i++) {
        done[i] = has(s, i, "/encoder.safetensors");
        printf("%-8s %s\n", done[i] ? "done" : has(s, i, "") ? "begun" : "to do", s->runs.run[i].name);
    }
    printf("%d runs in %s, %lld at a time, threads of each: %s\n", s->runs.count, s->folder, (long long)s->jobs,
           s->threads);
    if (!study_sweep_seconds(&s->runs, s->recipe, done, (int)s->jobs, (int)s->threads_each, &seconds, &err))
        return cli_fail(&err);
    printf("about %s of training, at the pace of a few steps now\n", human_duration(seconds, text, sizeof text));
    return CLI_DONE;
}

/* Why the first run failed: the last sentence in its .log. */
static void say_failed(const struct sweeping *s, int failed)
{
    char path[PATH_SIZE], line[1024], why[1024] = "it could not be started";
    FILE *file = fopen(path_of(s, s->first_failed, ".log", path), "re");

    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "invar: ", 7) == 0)
            snprintf(why, sizeof why, "%.*s", (int)strcspn(line + 7, "\n"), line + 7);
    if (file)
        fclose(file);
    if (WIFSIGNALED(s->first_status))
        snprintf(why, sizeof why, "a signal ended it: %s", strsignal(WTERMSIG(s->first_status)));
    cli_message("%d of %d runs failed; the first, %s: %s (all in the .log files of %s)", failed, s->runs.count,
                s->runs.run[s->first_failed].name, why, s->folder);
}

/* `invar compare` of all that have finished, the best first. */
static int compare(const struct sweeping *s)
{
    char words[CLI_LIST_SIZE][PATH_SIZE], verb[] = "compare", option[] = "--sort", by[256];
    char *argv[CLI_LIST_SIZE + 4] = {verb, option, by};
    int count = 3;
    bool probed = true;

    for (int i = 0; i < s->runs.count && count < CLI_LIST_SIZE; i++)
        if (has(s, i, "/encoder.safetensors")) {
            path_of(s, i, "", words[count]);
            probed = probed && has(s, i, "/probe.json");
            argv[count] = words[count];
            count++;
        }
    snprintf(by, sizeof by, "%s", s->sort ? s->sort : probed ? "linear.held_out_top1" : "rank");
    return invar_cli_compare(count, argv);
}

static int sweep(struct sweeping *s, const struct cli_list *settings)
{
    struct invar_error err = {0};

    if (!study_sweep_make(&s->runs, settings->item, settings->count, &err) ||
        !study_sweep_check(&s->runs, s->recipe, &err))
        return cli_fail(&err);
    if (s->dry_run)
        return print_runs(s);
    if (!invar_folder_create(s->folder, &err))
        return cli_fail(&err);
    cli_catch_interrupt();
    const int failed = work(s, true);
    if (!cli_stop && !s->no_probe)
        work(s, false);
    if (cli_stop) {
        cli_message("interrupted: the same command goes on");
        return CLI_INTERRUPTED;
    }
    if (failed)
        say_failed(s, failed);
    const int status = failed < s->runs.count ? compare(s) : CLI_FAILED;
    return failed ? CLI_FAILED : status;
}

int invar_cli_sweep(int argc, char **argv)
{
    struct sweeping s = {.threads_each = 1, .first_failed = -1};
    struct cli_list recipes = {0}, settings = {0};
    const struct cli_option options[] = {
        {"run", 0, "DIR", "the folder of all runs (default: runs/sweep)", CLI_TEXT, &s.folder, 0, 0},
        {"jobs", 'j', "N", "runs at a time (default: cores by threads)", CLI_INTEGER, &s.jobs, 1, STUDY_SWEEP_JOBS},
        {"threads", 0, "N", "threads of each run (default: 1)", CLI_INTEGER, &s.threads_each, 1, 4096},
        {"sort", 0, "NAME",
         "what the best is by, as `invar compare` has it (default: the linear probe on held-out "
         "training samples; unprobed the rank of z)",
         CLI_TEXT, &s.sort, 0, 0},
        {"no-probe", 0, NULL, "labels are not looked at", CLI_FLAG, &s.no_probe, 0, 0},
        {"dry-run", 0, NULL, "list the runs, which of them are done, and how long the others take; train nothing",
         CLI_FLAG, &s.dry_run, 0, 0},
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "sweep",
        .arguments = "RECIPE KEY=A,B,C [KEY=0..4] ['KEY=1e-3..1e-1 (log, 5)'] ... [--run DIR] [--jobs N]",
        .purpose =
            "A run for every combination of values: listed, of whole numbers FIRST..LAST, or of COUNT numbers "
            "FIRST..LAST\n(log, COUNT) at equal ratios or (linear, COUNT) at equal steps. Runs that are done are kept, "
            "runs that were begun\ngo on, so that the same command goes on after Ctrl-C. Then each is probed, and "
            "`invar compare` shows all, the\nbest first.",
        .options = options,
        .positionals = &recipes,
        .positional_minimum = 1,
        .positional_maximum = 1,
        .positional_name = "RECIPE",
        .assignments = &settings,
        .example = "  invar sweep simclr-fashion-mnist 'optimiser.lr=1e-3..1e-2 (log, 3)' training.seed=0..2 --run "
                   "runs/rates\n",
    };
    int status;

    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    if (!settings.count)
        return cli_wrong_usage(&usage, "KEY=A,B,C says what differs between the runs; it is missing");
    s.recipe = recipes.item[0];
    s.folder = s.folder ? s.folder : "runs/sweep";
    snprintf(s.threads, sizeof s.threads, "%lld", (long long)s.threads_each);
    s.jobs = s.jobs ? s.jobs : omp_get_num_procs() / s.threads_each;
    s.jobs = s.jobs < 1 ? 1 : s.jobs > STUDY_SWEEP_JOBS ? STUDY_SWEEP_JOBS : s.jobs;
    status = sweep(&s, &settings);
    study_sweep_free(&s.runs);
    return status;
}
