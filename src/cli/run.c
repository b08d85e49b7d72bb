/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs that measure a finished run share. */
#include "cli/run.h"
#include "base/json.h"
#include "cli/probe_test.h"
#include "invar/data.h"
#include "invar/file.h"
#include "invar/memory.h"

#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 4096 };
static const size_t largest_result = (size_t)1 << 26;

/* The data section that the run was trained with, then the source that was asked for, then KEY=VALUE. */
static bool data_options(struct invar_data_options *out, const struct invar_encoder *encoder, const char *source,
                         const struct cli_list *assignments, struct invar_error *err)
{
    bool ok = false;
    const char *text = encoder->source.data ? encoder->source.data : "";
    struct invar_shape input = invar_net_input(encoder->net);
    struct invar_node *node = invar_node_parse(text, strlen(text), "encoder.safetensors", err);
    invar_options_default(invar_data_option_table, out);
    if (!node || !invar_options_read(invar_data_option_table, out, node, "data", NULL, err))
        goto done;
    if (source) {
        enum invar_data_kind kind;
        if (invar_source_kind(source, &kind) && !invar_embed_accepts(encoder, kind, source, err))
            goto done;
        if (strlen(source) >= sizeof out->source) {
            invar_error_set(err, INVAR_ERROR_USAGE, "the name of the source is longer than %zu characters",
                            sizeof out->source - 1);
            goto done;
        }
        if (strcmp(out->source, source) != 0)
            out->test[0] = out->test_rows[0] = '\0'; /* they are about the source of the run */
        strcpy(out->source, source);
        if (input.rank == 3 && input.height == input.width)
            out->size = input.height;
        if (input.rank == 3 && input.channels <= 16)
            out->channels = input.channels;
    }
    for (int i = 0; assignments && i < assignments->count; i++)
        if (!invar_options_set(invar_data_option_table, out, assignments->item[i], err))
            goto done;
    ok = true;
done:
    invar_node_free(node);
    return ok;
}

bool cli_run_open(struct cli_run *run, const char *folder, const char *source, const struct cli_list *assignments,
                  int64_t threads, struct invar_error *err)
{
    char path[PATH_SIZE];
    struct invar_data_options options;
    *run = (struct cli_run){.folder = folder};
    if (!invar_path_join(path, sizeof path, folder, "encoder.safetensors", err))
        return false;
    bool there;
    if (!invar_path_find(path, &there, err))
        return false;
    if (!there)
        return invar_error_set(err, INVAR_ERROR_FILE,
                               "%s: there is no such file; give the folder of a run that has finished (`invar pretrain "
                               "RECIPE --run DIR --resume` goes on with one that has not)",
                               path);
    run->encoder = invar_encoder_read(path, err);
    if (!run->encoder || !data_options(&options, run->encoder, source, assignments, err))
        return false;
    run->device = invar_device_open("cpu", (int)threads, err);
    run->dataset = run->device ? invar_dataset_open_as(&options, run->encoder->columns.data, err) : NULL;
    if (run->device && !run->dataset && !source && err)
        invar_source_explain(options.source, err);
    run->windows = run->dataset && invar_dataset_info(run->dataset)->kind == INVAR_DATA_AUDIO;
    return run->dataset != NULL;
}

static bool ends(const char *text, const char *ending)
{
    const size_t length = strlen(text), size = strlen(ending);

    return length > size && strcmp(text + length - size, ending) == 0;
}

bool cli_is_features(const char *name)
{
    return ends(name, ".npy");
}

const char *cli_take_label_file(struct cli_list *labels)
{
    static const char *const endings[] = {".npy", ".csv", ".tsv", ".csv.gz", ".tsv.gz"};
    const char *file = NULL;
    int kept = 0;

    for (int i = 0; i < labels->count; i++) {
        bool is_file = false;
        for (size_t e = 0; e < sizeof endings / sizeof *endings; e++)
            is_file = is_file || ends(labels->item[i], endings[e]);
        if (is_file)
            file = labels->item[i];
        else
            labels->item[kept++] = labels->item[i];
    }
    labels->count = kept;
    return file;
}

void cli_take_data(struct cli_list *assignments, struct cli_list *data)
{
    int kept = 0;

    for (int i = 0; i < assignments->count; i++) {
        if (strncmp(assignments->item[i], "data.", 5) == 0)
            data->item[data->count++] = assignments->item[i] + 5;
        else
            assignments->item[kept++] = assignments->item[i];
    }
    assignments->count = kept;
}

static bool set_text(char *out, const char *text, const char *what, struct invar_error *err)
{
    if (!text)
        return true;
    if (strlen(text) >= INVAR_TEXT_SIZE)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s: is longer than %d characters", what, INVAR_TEXT_SIZE - 1);
    strcpy(out, text);
    return true;
}

bool cli_run_open_features(struct cli_run *run, const struct cli_features *features, int64_t threads,
                           struct invar_error *err)
{
    struct invar_data_options options;
    char source[INVAR_TEXT_SIZE + 8];

    *run = (struct cli_run){.folder = features->file};
    invar_options_default(invar_data_option_table, &options);
    snprintf(source, sizeof source, "npy:%s", features->file);
    if (!features->draw_test)
        options.test_fraction = 0;
    if (!set_text(options.source, source, "the name of the features", err) ||
        !set_text(options.labels, features->labels, "--labels", err) ||
        !set_text(options.label, features->label, "--label", err) ||
        !set_text(options.test, features->test, "--test", err) ||
        !set_text(options.test_labels, features->test_labels, "--test-labels", err))
        return false;
    for (int i = 0; features->assignments && i < features->assignments->count; i++)
        if (!invar_options_set(invar_data_option_table, &options, features->assignments->item[i], err))
            return false;
    run->device = invar_device_open("cpu", (int)threads, err);
    run->dataset = run->device ? invar_dataset_open_features(&options, err) : NULL;
    return run->dataset != NULL;
}

struct invar_dataset *cli_run_other(const struct cli_run *run, const char *source, struct invar_error *err)
{
    const struct invar_encoder *encoder = run->encoder;
    struct invar_data_options options;
    enum invar_data_kind kind;

    if (!data_options(&options, encoder, source, NULL, err))
        return NULL;
    options.test_fraction = 0;
    if (invar_source_kind(source, &kind) && kind == INVAR_DATA_IMAGE) {
        options.mean.count = options.deviation.count = (int)invar_net_input(encoder->net).channels;
        for (int c = 0; c < options.mean.count && c < 16; c++) {
            options.mean.value[c] = (double)encoder->mean[c];
            options.deviation.value[c] = (double)encoder->deviation[c];
        }
    }
    return invar_dataset_open_as(&options, encoder->columns.data, err);
}

void cli_run_close(struct cli_run *run)
{
    cli_test_close(run->test);
    invar_dataset_close(run->dataset);
    invar_device_close(run->device);
    invar_encoder_free(run->encoder);
}

bool cli_run_embed(struct cli_run *run, const struct invar_encoder *encoder, enum invar_split split,
                   struct invar_embedded *out, struct invar_error *err)
{
    struct cli_progress progress = {0};
    const struct invar_watch watch = {cli_told, &progress};
    if (!run->encoder)
        return invar_embed_input(run->dataset, split, out, err);
    if (run->test && split == INVAR_TEST)
        return cli_test_embed(run, encoder, out, err);
    const struct invar_embed_options options = {.precision =
                                                    run->bfloat16 ? INVAR_PRECISION_BFLOAT16 : INVAR_PRECISION_FLOAT32,
                                                .windows = run->windows,
                                                .watch = &watch};
    bool ok = invar_embed(run->device, encoder, run->dataset, split, &options, out, err);
    cli_progress_end(&progress);
    return ok;
}

static bool read_seed(const char *folder, uint64_t *seed, struct invar_error *err)
{
    char path[PATH_SIZE];
    if (!invar_path_join(path, sizeof path, folder, "recipe.yaml", err))
        return false;
    struct invar_node *root = invar_node_read(path, err);
    if (!root)
        return false;
    const struct invar_node *node = invar_node_get(invar_node_get(root, "training"), "seed");
    const char *text = node ? invar_node_text(node) : NULL;
    char *end = NULL;
    long long value = text ? strtoll(text, &end, 10) : -1;
    bool ok = text && end != text && !*end && value >= 0;
    if (!ok)
        invar_error_set(err, INVAR_ERROR_FORMAT,
                        "%s: training.seed is no whole number; expected the resolved recipe that pretraining writes",
                        path);
    *seed = (uint64_t)value;
    invar_node_free(root);
    return ok;
}

struct invar_encoder *cli_run_random_encoder(const struct cli_run *run, struct invar_error *err)
{
    const struct invar_encoder *trained = run->encoder;
    struct invar_encoder *encoder = NULL;
    struct invar_text text = {0};
    struct invar_node *section = NULL;
    uint64_t seed = 0;
    if (!read_seed(run->folder, &seed, err) || !invar_text_printf(&text, err, "kind: %s\n%s", trained->kind,
                                                                  trained->options.data ? trained->options.data : ""))
        goto done;
    section = invar_node_parse(text.data, text.size, "encoder.safetensors", err);
    encoder = section ? invar_encoder_create(section, invar_net_input(trained->net), seed, err) : NULL;
    if (encoder) {
        memcpy(encoder->mean, trained->mean, sizeof encoder->mean);
        memcpy(encoder->deviation, trained->deviation, sizeof encoder->deviation);
    }
done:
    invar_node_free(section);
    invar_text_free(&text);
    return encoder;
}

static cJSON *read_results(const char *path, struct invar_error *err)
{
    struct invar_bytes bytes = {0};
    static const char advice[] = ", so results cannot be added to it; move it away and try again";
    cJSON *root = NULL;
    bool there;
    if (!invar_path_find(path, &there, err))
        return NULL;
    if (!there) {
        root = cJSON_CreateObject();
        if (!root)
            invar_error_set(err, INVAR_ERROR_MEMORY, "there is not enough memory for %s", path);
        return root;
    }
    if (!invar_path_is_file(path, err) || !invar_file_read(&bytes, path, largest_result, err))
        return NULL;
    root = json_parse((const char *)bytes.data, bytes.size, JSON_MOST_VALUES, path, advice, err);
    invar_bytes_free(&bytes);
    if (!root || cJSON_IsObject(root))
        return root;
    cJSON_Delete(root);
    invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is no JSON object%s", path, advice);
    return NULL;
}

bool cli_run_merge(const char *folder, const char *name, const cJSON *results, struct invar_error *err)
{
    char path[PATH_SIZE];
    char *text = NULL;
    if (!invar_path_join(path, sizeof path, folder, name, err))
        return false;
    cJSON *root = read_results(path, err);
    if (!root)
        return false;
    const cJSON *item;
    cJSON_ArrayForEach(item, results)
    {
        cJSON_DeleteItemFromObjectCaseSensitive(root, item->string);
        cJSON_AddItemToObject(root, item->string, cJSON_Duplicate(item, true));
    }
    text = json_print(root, true, path, err);
    const bool ok = text && (!results || invar_file_write(path, text, strlen(text), err));
    cJSON_free(text);
    cJSON_Delete(root);
    return ok;
}

void cli_run_add_data(const struct invar_dataset_info *info, cJSON *object)
{
    cJSON_AddStringToObject(object, "data", info->source);
    if (info->identity)
        cJSON_AddStringToObject(object, "data_identity", info->identity);
}

bool cli_run_add_machine(const struct cli_run *run, cJSON *result, struct invar_error *err)
{
    const char *precision = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(result, "precision"));
    const bool half = precision && strcmp(precision, invar_precision_name(INVAR_PRECISION_BFLOAT16)) == 0;
    struct invar_machine machine;

    if (!invar_device_machine(run->device, half ? INVAR_PRECISION_BFLOAT16 : INVAR_PRECISION_FLOAT32, &machine, err))
        return false;
    cJSON_DeleteItemFromObjectCaseSensitive(result, "machine");
    cJSON *object = cJSON_AddObjectToObject(result, "machine");
    cJSON_AddStringToObject(object, "processor", machine.processor);
    cJSON_AddStringToObject(object, "engine", machine.engine);
    cJSON_AddStringToObject(object, "instruction_set", machine.instruction_set);
    cJSON_AddStringToObject(object, "precision", machine.precision);
    cJSON_AddNumberToObject(object, "threads", machine.threads);
    return true;
}

cJSON *cli_run_results(const char *folder, const char *name, struct invar_error *err)
{
    char path[PATH_SIZE];

    return invar_path_join(path, sizeof path, folder, name, err) ? read_results(path, err) : NULL;
}

int64_t cli_run_width(const struct cli_run *run)
{
    const struct invar_shape shape = invar_net_output(run->encoder->net);

    return shape.channels * (shape.rank == 3 ? shape.height * shape.width : 1);
}
