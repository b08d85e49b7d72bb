/* SPDX-License-Identifier: Apache-2.0 */
/* invar embed RUN SOURCE -o FILE.npy: representations of data as an array. */
#include "cli/run.h"
#include "invar/data.h"
#include "report/projector.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static void print_data_options(FILE *stream)
{
    struct invar_text text = {0};
    if (invar_options_describe(invar_data_option_table, 2, &text, NULL))
        fprintf(stream, "KEY=VALUE, as in the data section of a recipe (default: as the run was trained):\n%s",
                text.data);
    invar_text_free(&text);
}

static bool append(struct invar_array *whole, const struct invar_array *part, struct invar_error *err)
{
    struct invar_array joined = {0};
    int64_t shape[INVAR_MAX_RANK];
    memcpy(shape, part->shape, sizeof shape);
    shape[0] += whole->shape[0];
    if (!invar_array_alloc(&joined, part->dtype, part->rank, shape, err))
        return false;
    size_t size = invar_dtype_size(part->dtype), first = (size_t)invar_array_count(whole) * size;
    memcpy(joined.data, whole->data, first);
    memcpy((char *)joined.data + first, part->data, (size_t)invar_array_count(part) * size);
    invar_array_free(whole);
    *whole = joined;
    return true;
}

/* split: "train", "test", or "all" for the training samples followed by the test samples. */
static bool embed(struct cli_run *run, const char *split, struct invar_embedded *out, struct invar_error *err)
{
    bool all = !strcmp(split, "all");
    int64_t tests = invar_dataset_info(run->dataset)->count[INVAR_TEST];
    struct invar_embedded rest = {0};
    enum invar_split first = !strcmp(split, "test") ? INVAR_TEST : INVAR_TRAIN;
    if (!cli_run_embed(run, run->encoder, first, out, err))
        return false;
    if (!all || !tests)
        return true;
    bool ok = cli_run_embed(run, run->encoder, INVAR_TEST, &rest, err) && append(&out->features, &rest.features, err) &&
              append(&out->labels, &rest.labels, err);
    invar_embedded_free(&rest);
    return ok;
}

/* Every row to length 1; a row of zeros has no direction and stays. */
static bool normalise_rows(struct invar_array *features)
{
    const int64_t rows = features->shape[0], cols = features->shape[1];

    for (int64_t i = 0; i < rows; ++i) {
        float *row = (float *)features->data + i * cols;
        double squares = 0;
        for (int64_t j = 0; j < cols; ++j)
            squares += (double)row[j] * (double)row[j];
        for (int64_t j = 0; squares > 0 && j < cols; ++j)
            row[j] = (float)((double)row[j] / sqrt(squares));
    }
    return true;
}

/* All rows of a table stay in the order of its file, unless the arguments say what the test split is. */
static void keep_order(struct cli_list *assignments)
{
    static const char *const whole[] = {"test=", "test_rows=", "test_fraction=0"};
    enum { COUNT = sizeof whole / sizeof *whole };

    if (assignments->count > CLI_LIST_SIZE - COUNT)
        return;
    memmove(assignments->item + COUNT, assignments->item, (size_t)assignments->count * sizeof *assignments->item);
    memcpy(assignments->item, whole, sizeof whole);
    assignments->count += COUNT;
}

static int report(const struct cli_run *run, const struct invar_embedded *embedded, const char *split,
                  const char *output, const char *labels, bool json)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    int64_t rows = embedded->features.shape[0], cols = embedded->features.shape[1];
    if (!json) {
        printf("%s: %" PRId64 " samples x %" PRId64 " features, float32, from %s (%s)\n", output, rows, cols,
               info->source, split);
        if (labels)
            printf("%s: %" PRId64 " labels, int64\n", labels, rows);
        return CLI_DONE;
    }
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "file", output);
    if (labels)
        cJSON_AddStringToObject(root, "labels", labels);
    cJSON_AddStringToObject(root, "data", info->source);
    cJSON_AddStringToObject(root, "split", split);
    cJSON_AddNumberToObject(root, "rows", (double)rows);
    cJSON_AddNumberToObject(root, "dimensions", (double)cols);
    cJSON_AddNumberToObject(root, "skipped", (double)info->skipped);
    return cli_print_json(root);
}

/* A browser draws no more points than this with ease. */
enum { PROJECTED = 10000 };

/* The files of TensorBoard's embedding projector, of the test split unless training samples are asked for or alone. */
static bool write_projector(const struct cli_run *run, const char *folder, const char *split, int64_t *samples,
                            struct invar_error *err)
{
    struct cli_progress progress;
    const bool tests = strcmp(split, "train") != 0 &&
                       (!strcmp(split, "test") || invar_dataset_info(run->dataset)->count[INVAR_TEST] > 0);
    const struct projector_subject subject = {.device = run->device,
                                              .encoder = run->encoder,
                                              .dataset = run->dataset,
                                              .split = tests ? INVAR_TEST : INVAR_TRAIN,
                                              .name = run->folder,
                                              .most_samples = PROJECTED,
                                              .progress = cli_progress_callback,
                                              .user = &progress};
    cli_progress_start(&progress, "projector", "samples");
    const bool ok = report_projector_write(folder, &subject, samples, err);
    cli_progress_end(&progress);
    return ok;
}

static int report_projector(const struct cli_run *run, const char *folder, int64_t samples, bool json)
{
    if (!json) {
        printf("%s: %" PRId64 " samples for the projector of `tensorboard --logdir %s`\n", folder, samples, folder);
        return CLI_DONE;
    }
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "projector", folder);
    cJSON_AddStringToObject(root, "data", invar_dataset_info(run->dataset)->source);
    cJSON_AddNumberToObject(root, "rows", (double)samples);
    return cli_print_json(root);
}

int invar_cli_embed(int argc, char **argv)
{
    bool json = false, normalise = false;
    int64_t threads = 0;
    const char *output = NULL, *labels = NULL, *split = "all", *projector = NULL;
    int64_t projected = 0;
    struct cli_list positionals = {0}, assignments = {0};
    const struct cli_option options[] = {
        {"output", 'o', "FILE.npy", "where the array goes: float32 [samples][features]", CLI_TEXT, &output, 0, 0},
        {"split", 0, "SPLIT",
         "train, test or all, which is train then test, of a table in the order of its file (default: all)", CLI_TEXT,
         &split, 0, 0},
        {"labels", 0, "FILE.npy", "where the labels go: int64 [samples], -1 where there is none", CLI_TEXT, &labels, 0,
         0},
        {"normalise", 0, NULL, "divide every row of the array by its length (a row of zeros stays)", CLI_FLAG,
         &normalise, 0, 0},
        {"projector", 0, "DIR",
         "files of TensorBoard's embedding projector, of up to 10000 samples of the test split (--split train: of the "
         "training split); -o is not needed then",
         CLI_TEXT, &projector, 0, 0},
        CLI_OPTION_THREADS(&threads),
        CLI_OPTION_JSON(&json),
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "embed",
        .arguments = "RUN SOURCE -o FILE.npy [--split train|test|all] [--labels FILE.npy] [--normalise] [--projector "
                     "DIR] [KEY=VALUE ...]",
        .purpose = "Representations of data by the encoder of a run, under the plain view, as a NumPy array. Samples "
                   "that cannot be\nread are left out (of the labels too).",
        .options = options,
        .positionals = &positionals,
        .positional_minimum = 2,
        .positional_maximum = 2,
        .positional_name = "RUN SOURCE",
        .assignments = &assignments,
        .example = "  invar embed runs/quickstart fashion-mnist -o test.npy --split test --labels labels.npy\n"
                   "  invar embed runs/quickstart fashion-mnist --projector runs/quickstart\n",
        .more = print_data_options,
    };
    struct invar_error err = {0};
    struct cli_run run = {0};
    struct invar_embedded embedded = {0};
    int status;

    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    if (!output && (!projector || labels || normalise))
        return cli_wrong_usage(&usage, "-o FILE.npy says where the array goes; it is missing");
    if (strcmp(split, "train") != 0 && strcmp(split, "test") != 0 && strcmp(split, "all") != 0)
        return cli_wrong_usage(&usage, "--split is \"%s\"; expected train, test or all", split);
    if (!strcmp(split, "all") && !strncmp(positionals.item[1], "csv:", 4))
        keep_order(&assignments);
    if (!cli_run_open(&run, positionals.item[0], positionals.item[1], &assignments, threads, &err) ||
        (projector && !write_projector(&run, projector, split, &projected, &err)))
        status = cli_fail(&err);
    else if (!output)
        status = report_projector(&run, projector, projected, json);
    else if (embed(&run, split, &embedded, &err) && (!normalise || normalise_rows(&embedded.features)) &&
             invar_npy_write(&embedded.features, output, &err) &&
             (!labels || invar_npy_write(&embedded.labels, labels, &err)))
        status = report(&run, &embedded, split, output, labels, json);
    else
        status = cli_fail(&err);
    invar_embedded_free(&embedded);
    cli_run_close(&run);
    return status;
}
