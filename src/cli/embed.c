/* SPDX-License-Identifier: Apache-2.0 */
/* invar embed RUN SOURCE -o FILE.npy: representations of data as an array or a table. */
#include "cli/cli.h"
#include "study/embedding.h"
#include "invar/data.h"
#include "invar/memory.h"
#include "report/embedding_projector.h"
#include "report/text.h"
#include "run/results.h"
#include "train/ranks.h"

#include <string.h>

static void print_data_options(FILE *stream)
{
    struct invar_text text = {0};
    if (invar_options_describe(invar_data_option_table, 2, &text, NULL))
        fprintf(stream, "KEY=VALUE, as in the data section of a recipe (default: as the run was trained):\n%s",
                text.data);
    invar_text_free(&text);
}

/* A browser draws no more points than this with ease. */
enum { PROJECTED = 10000 };

/* The files of TensorBoard's embedding projector, of the test split unless training samples are asked for or alone. */
static bool write_projector(const struct invar_run *run, const struct invar_run_options *how, const char *folder,
                            const char *split, int64_t *samples, struct invar_error *err)
{
    const bool tests = strcmp(split, "train") != 0 &&
                       (strcmp(split, "test") == 0 || invar_dataset_info(run->dataset)->count[INVAR_TEST] > 0);
    const struct embedding_projector_subject subject = {.device = run->device,
                                                        .encoder = run->encoder,
                                                        .dataset = run->dataset,
                                                        .split = tests ? INVAR_TEST : INVAR_TRAIN,
                                                        .name = run->folder,
                                                        .how = how,
                                                        .most_samples = PROJECTED,
                                                        .watch = run->watch};
    return report_embedding_projector_write(folder, &subject, samples, err);
}

static int report_projector(const struct invar_run *run, const char *folder, int64_t samples, bool json)
{
    if (!json) {
        printf("%s: %lld samples for the projector of `tensorboard --logdir %s`\n", folder, (long long)samples, folder);
        return CLI_DONE;
    }
    struct json_writer w = CLI_JSON;
    json_open_object(&w, NULL);
    json_text(&w, "projector", folder);
    json_text(&w, "data", invar_dataset_info(run->dataset)->source);
    json_number(&w, "rows", (double)samples);
    json_close(&w);
    return cli_print_json(&w);
}

struct arguments {
    bool json, normalise, windows, no_windows;
    int64_t threads, rank_timeout;
    const char *output, *labels, *rows, *format, *split, *projector, *precision;
    struct cli_list positionals, assignments;
};

/* What is wrong with the arguments among each other; NULL: nothing. */
static const char *find_misuse(const struct arguments *a)
{
    if (!a->output && (!a->projector || a->labels || a->rows || a->format || a->normalise))
        return "-o FILE.npy says where the array goes; it is missing";
    if (strcmp(a->split, "train") != 0 && strcmp(a->split, "test") != 0 && strcmp(a->split, "all") != 0)
        return "--split is none of train, test and all";
    if (a->format && strcmp(a->format, "npy") != 0 && strcmp(a->format, "csv") != 0)
        return "--format is neither npy nor csv";
    if (a->output && strcmp(a->output, "-") == 0 && a->json)
        return "--json and -o - both write to standard output; give -o a file";
    if (strcmp(a->precision, "float32") != 0 && strcmp(a->precision, "bfloat16") != 0)
        return "--precision is neither float32 nor bfloat16";
    if (a->windows && a->no_windows)
        return "--windows and --no-windows contradict each other";
    return NULL;
}

/* What came out, for the process that writes it. */
struct outcome {
    struct invar_embedded embedded;
    int64_t left_out, projected;
    struct invar_results *results;
};

static bool write_all(const struct arguments *a, const struct invar_run *run, const struct invar_run_options *how,
                      const struct study_places *places, struct outcome *out, struct invar_error *err)
{
    const bool test = strcmp(a->split, "train") != 0, train = strcmp(a->split, "test") != 0;
    const bool leads = invar_run_leads(run);
    struct study_table table = {run->dataset, &out->embedded, NULL, {train, test}};

    if (a->projector && leads && !write_projector(run, how, a->projector, a->split, &out->projected, err))
        return false;
    if (!a->output)
        return true;
    const bool ok =
        study_embed(run, table.split, a->normalise, &out->embedded, &table.split_of, err) &&
        (!leads || study_embedding_write(&table, places, &out->left_out, err)) &&
        (!leads || !a->json || (out->results = study_embedding_results(run, &table, a->split, places, err)));
    invar_free(table.split_of);
    return ok;
}

/* Of an array on standard output on standard error. */
static int report(const struct arguments *a, const struct invar_run *run, const struct study_places *places,
                  const struct outcome *out)
{
    if (!invar_run_leads(run))
        return CLI_DONE;
    if (!a->output)
        return report_projector(run, a->projector, out->projected, a->json);
    if (a->json)
        return cli_print_results(out->results);
    report_embedding_print(strcmp(a->output, "-") != 0 ? stdout : stderr, run, &out->embedded, a->split, places,
                           out->left_out);
    return CLI_DONE;
}

static int run_embed(struct arguments *a)
{
    const char *source = a->positionals.item[1];
    struct invar_error err = {0};
    struct invar_run run = {0};
    struct study_places places = {0};
    struct outcome out = {0};
    struct cli_progress progress = {0};
    const struct invar_watch watch = {cli_told, &progress};

    struct invar_run_options how = {.source = source,
                                    .undivided = true,
                                    .settings = a->assignments.item,
                                    .setting_count = a->assignments.count,
                                    .threads = a->threads,
                                    .watch = &watch};
    bool ok = cli_ranks_open(&how.ranks, "embed", a->rank_timeout, &err);
    if (ok && a->output && invar_ranks_rank(how.ranks) == 0)
        ok = study_places_set(&places, a->output, a->labels, a->rows, a->format, a->positionals.item[0], &how, &err);
    places.stream = cli_raw_output();
    ok = ranks_agree(how.ranks, ok, &err) && invar_run_open(&run, a->positionals.item[0], &how, &err);
    run.bfloat16 = strcmp(a->precision, "bfloat16") == 0;
    if (ok && (a->windows || a->no_windows))
        run.windows = a->windows;
    ok = ok && write_all(a, &run, &how, &places, &out, &err);
    const int status =
        invar_run_agree(&run, ok, &err) ? report(a, &run, &places, &out) : cli_ranks_fail(how.ranks, &err);
    invar_results_free(out.results);
    invar_embedded_free(&out.embedded);
    invar_run_close(&run);
    return cli_ranks_end(how.ranks, status);
}

int invar_cli_embed(int argc, char **argv)
{
    struct arguments a = {.split = "all", .precision = "float32", .rank_timeout = 600};
    const struct cli_option options[] = {
        {"output", 'o', "FILE",
         "where the representations go: FILE.npy, float32 [samples][features], with the list FILE.csv beside it; "
         "FILE.csv, one table of both; - is standard output",
         CLI_TEXT, &a.output, 0, 0},
        {"format", 0, "FORMAT", "npy or csv (default: by the ending of -o; npy)", CLI_TEXT, &a.format, 0, 0},
        {"rows", 0, "FILE.csv", "where the list goes that says which row is which sample", CLI_TEXT, &a.rows, 0, 0},
        {"split", 0, "SPLIT",
         "train, test or all: in the order of the files, training files before test files (default: all)", CLI_TEXT,
         &a.split, 0, 0},
        {"labels", 0, "FILE.npy",
         "where the labels go: int64 [samples], -1 where there is none; of labels that are numbers float64, NaN",
         CLI_TEXT, &a.labels, 0, 0},
        {"normalise", 0, NULL, "divide every row by its length (a row of zeros stays)", CLI_FLAG, &a.normalise, 0, 0},
        {"windows", 0, NULL,
         "images larger than what the encoder sees: the mean over windows of that size, half a window apart, instead "
         "of "
         "the image resized (clips: so by default)",
         CLI_FLAG, &a.windows, 0, 0},
        {"no-windows", 0, NULL, "longer clips: their beginning alone", CLI_FLAG, &a.no_windows, 0, 0},
        {"precision", 0, "NAME",
         "float32 or, where the processor computes in it, bfloat16; what is written is float32 (default: float32)",
         CLI_TEXT, &a.precision, 0, 0},
        {"projector", 0, "DIR",
         "files of TensorBoard's embedding projector, of up to 10000 samples of the test split (--split train: of the "
         "training split); -o is not needed then",
         CLI_TEXT, &a.projector, 0, 0},
        CLI_OPTION_THREADS(&a.threads),
        CLI_OPTION_RANK_TIMEOUT(&a.rank_timeout),
        CLI_OPTION_JSON(&a.json),
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "embed",
        .arguments = "RUN SOURCE -o FILE [--split train|test|all] [--labels FILE.npy] [--normalise] [--windows]\n"
                     "             [--projector DIR] [KEY=VALUE ...]",
        .purpose =
            "Representations of data by the encoder of a run, under the plain view, as a NumPy array or a table. "
            "Beside FILE.npy\nlies FILE.csv with the split, path, line, number and label of the sample in every "
            "row; samples that cannot be\nread are left out and listed in FILE-left-out.csv with the reason.",
        .options = options,
        .positionals = &a.positionals,
        .positional_minimum = 2,
        .positional_maximum = 2,
        .positional_name = "RUN SOURCE",
        .assignments = &a.assignments,
        .example = "  invar embed runs/quickstart fashion-mnist -o test.npy --split test --labels labels.npy\n"
                   "  invar embed runs/table csv:my.csv -o - --format csv | sort -t, -k6\n"
                   "  invar embed runs/quickstart fashion-mnist --projector runs/quickstart\n",
        .more = print_data_options,
    };
    int status;

    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    const char *misuse = find_misuse(&a);
    return misuse ? cli_wrong_usage(&usage, "%s", misuse) : run_embed(&a);
}
