/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_CLI_H
#define INVAR_CLI_H

#include "base/human.h"
#include "base/json_write.h"
#include "invar/error.h"
#include "invar/eval.h"
#include "invar/watch.h"
#include <signal.h>
#include <stdint.h>
#include <stdio.h>

/*
 * The frame of the command. A verb is one file src/cli/VERB.c with `int invar_cli_VERB(int argc, char **argv)`
 * (argv[0] is the verb; returns an exit status) and one line in CLI_VERBS, of which src/manual makes man pages, too.
 * Results go to standard output; progress, warnings and errors to standard error.
 */

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_INTERRUPTED = 130 };

/** Every verb with its line of help, in the order of `invar --help`. */
#define CLI_VERBS(VERB)                                                                                                \
    VERB(data, "what is in a source: samples, shapes, classes, statistics, problems")                                  \
    VERB(env, "what an environment is that agents act in, what random play gives, how fast it is")                     \
    VERB(recipes, "the recipes that ship, and every option with its default")                                          \
    VERB(pretrain, "train an encoder as a recipe says, into a run folder")                                             \
    VERB(agent, "train an agent that learns from what it sees, as a recipe says, into a run folder")                   \
    VERB(play, "whole episodes with an agent that was trained: its returns, and a GIF")                                \
    VERB(sweep, "a run for every combination of values of options, side by side, then one table")                      \
    VERB(probe, "how well labels can be read from what a run learned, beside baselines")                               \
    VERB(robustness, "errors of the probe under the common image corruptions, mCE and mrCE")                           \
    VERB(embed, "representations of data by the encoder of a run, as a NumPy array")                                   \
    VERB(export, "the encoder of a run for programs that know nothing of invar: ONNX, C, weights")                     \
    VERB(inspect, "entropy, rank, spectrum and class separation of what a run learned")                                \
    VERB(compare, "runs side by side: means over seeds with intervals, paired differences")                            \
    VERB(report, "one HTML page about a run, or about several side by side")                                           \
    VERB(loss, "a term of an objective on given embeddings, with its gradient")                                        \
    VERB(bench, "training steps on this machine: rate, fraction of its matrix peak, where the time goes")
#define CLI_DECLARE(name, help) int invar_cli_##name(int argc, char **argv);
CLI_VERBS(CLI_DECLARE)

#define CLI_PURPOSE                                                                                                    \
    "invar learns representations without labels: it trains an encoder whose output stays the same under\n"            \
    "changes that do not matter."

/* ---- arguments ---- */

#define CLI_LIST_SIZE 256

/** Repeated options, positionals or KEY=VALUE arguments in the order given; the texts are borrowed from argv. */
struct cli_list {
    int count;
    const char *item[CLI_LIST_SIZE];
};

enum cli_option_kind {
    CLI_FLAG,    /**< bool: --json */
    CLI_INTEGER, /**< int64_t within minimum..maximum: --threads 2 */
    CLI_NUMBER,  /**< double within minimum..maximum: --epsilon 0.001 */
    CLI_TEXT,    /**< const char *: -o FILE; the last one given wins */
    CLI_LIST,    /**< struct cli_list: --in NAME=FILE --in ... */
};

/** One option of a verb; a table of them ends with an entry without name. The variable keeps its value when the option
 * is not given. */
struct cli_option {
    const char *name;     /**< "threads" for --threads */
    char letter;          /**< 'o' for -o, 0: none */
    const char *argument; /**< what help calls the argument, "N"; NULL for flags */
    const char *help;     /**< one line, with the default */
    enum cli_option_kind kind;
    void *variable;
    int64_t minimum, maximum; /**< of integers and numbers, inclusive */
};

/** Lines that several verbs share. */
#define CLI_OPTION_THREADS(variable)                                                                                   \
    {                                                                                                                  \
        "threads", 0, "N", "threads to compute with (default: OMP_NUM_THREADS, or all cores)", CLI_INTEGER,            \
            (variable), 1, 4096                                                                                        \
    }
#define CLI_OPTION_PLAIN(variable)                                                                                     \
    {                                                                                                                  \
        "plain", 0, "PIXELS,NAME",                                                                                     \
            "images: resize the shorter side to PIXELS before the centre is cropped, by bilinear or bicubic "          \
            "interpolation (default: to what the encoder sees, bilinear)",                                             \
            CLI_TEXT, (variable), 0, 0                                                                                 \
    }
#define CLI_OPTION_RANK_TIMEOUT(variable)                                                                              \
    {                                                                                                                  \
        "rank-timeout", 0, "SECONDS",                                                                                  \
            "of several processes (mpirun, srun): give up where one is silent so long (default: 600; 0: never)",       \
            CLI_INTEGER, (variable), 0, 1000000                                                                        \
    }
#define CLI_OPTION_JSON(variable)                                                                                      \
    {                                                                                                                  \
        "json", 0, NULL, "print one JSON object instead of text", CLI_FLAG, (variable), 0, 0                           \
    }
#define CLI_OPTION_END                                                                                                 \
    {                                                                                                                  \
        NULL, 0, NULL, NULL, CLI_FLAG, NULL, 0, 0                                                                      \
    }

/** All that `invar VERB --help` says and the parser needs. */
struct cli_usage {
    const char *verb;      /**< "probe" */
    const char *arguments; /**< after the verb: "RUN [KEY=VALUE ...]" */
    const char *purpose;   /**< one sentence or a short paragraph */
    const struct cli_option *options;
    struct cli_list *positionals; /**< NULL: none are accepted */
    int positional_minimum, positional_maximum;
    const char *positional_name;  /**< for messages: "RUN" */
    struct cli_list *assignments; /**< KEY=VALUE arguments; NULL: they are positionals */
    const char *example;          /**< whole lines */
    void (*more)(FILE *stream);   /**< further help (a list of names, an option table), or NULL */
};

/**
 * Reads argv into the variables of the table. Options and other arguments may be mixed, `--name=value` works, `--` ends
 * the options, -h and --help are always there. False when the verb is to return *status at once: help was printed (0),
 * or one sentence about what is wrong (2).
 */
bool cli_parse(const struct cli_usage *usage, int argc, char **argv, int *status);

/** Prints "invar VERB: SENTENCE" and how to get help; returns CLI_USAGE. */
int cli_wrong_usage(const struct cli_usage *usage, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- results and failures ---- */

/** Prints the sentence of err to standard error; returns the exit status that belongs to its code. */
int cli_fail(const struct invar_error *err);
/** Prints what was written, which is formatted and whole, to standard output and frees it; where memory was short, a
 * failure. Returns an exit status. */
int cli_print_json(struct json_writer *w);
struct invar_record;
/** What a training came to: steps, seconds, the last record. */
int cli_print_training(const char *folder, const char *recipe, int64_t steps, double seconds,
                       const struct invar_record *last, bool json);
#define CLI_JSON                                                                                                       \
    {                                                                                                                  \
        .formatted = true                                                                                              \
    }
struct invar_results;
/** Prints all of them. Returns an exit status. */
int cli_print_results(struct invar_results *results);
/** From here on standard output shows control characters (as \\u001b) instead of sending them. */
void cli_guard_output(void);
/** Standard output for bytes that are no text: as it was before cli_guard_output. */
FILE *cli_raw_output(void);
/** The text, with control characters shown. */
void cli_put_safely(FILE *stream, const char *text);

/* ---- interruption ---- */

/** Non-zero after Ctrl-C (or SIGTERM), once cli_catch_interrupt was called; one over two seconds later ends the process
 * at once. */
extern volatile sig_atomic_t cli_stop;
void cli_catch_interrupt(void);
/** Gives both signals their default action again, unless one came: what is left then is to say so. */
void cli_release_interrupt(void);

/* ---- several processes of one command (ranks.c) ---- */

struct invar_ranks;
/** All but the first fall silent. False when the verb is to return *status at once: it is of one process. */
bool cli_ranks_begin(const char *verb, int *status);
/** As invar_ranks_open, of processes that all have this verb. */
bool cli_ranks_open(struct invar_ranks **out, const char *verb, int64_t timeout, struct invar_error *err);
/** As cli_fail, with one sentence of all. */
int cli_ranks_fail(struct invar_ranks *ranks, const struct invar_error *err);
/** Closes them; returns the status. */
int cli_ranks_end(struct invar_ranks *ranks, int status);

/* ---- progress and log, to standard error ---- */

/** A bar with rate and remaining time on a terminal, a plain line every ten seconds elsewhere. */
struct cli_progress {
    const char *what, *unit; /**< "embedding train", "samples" */
    double started, shown;   /**< invar_seconds */
    int64_t done, total;
    double rate, remaining; /**< units and seconds; negative: taken from the clock */
    char note[160];         /**< appended, e.g. "loss 4.21" */
};
void cli_progress_start(struct cli_progress *progress, const char *what, const char *unit);
/** Shows it when it is time to; rate, remaining and note are those set in the struct. */
void cli_progress_update(struct cli_progress *progress, int64_t done, int64_t total);
/** Tells a struct cli_progress, user, as a watch of the library does: a new bar for every stretch. False after Ctrl-C,
 * once cli_catch_interrupt was called. */
bool cli_told(void *user, const struct invar_progress *progress);
/** Removes the bar. */
void cli_progress_end(struct cli_progress *progress);

/** One line "invar: TEXT" to standard error that does not tear a bar. */
void cli_message(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** Sends the log of the library to standard error: warnings and information always, debugging with INVAR_DEBUG=1. */
void cli_log_start(void);

#endif
