/* SPDX-License-Identifier: Apache-2.0 */
/* A finished run, opened for measuring. */
#include "data/source.h"
#include "run/share.h"
#include "run/test.h"
#include "data/dataset.h"
#include "train/folder.h"
#include "invar/data.h"
#include "invar/expert/file.h"
#include "invar/log.h"
#include "invar/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 4096 };

/* The data section that the run was trained with, then the source that was asked for, then KEY=VALUE. *own: the data
 * are those of the run. */
static bool data_options(struct invar_data_options *out, const struct invar_encoder *encoder, const char *source,
                         const struct invar_run_options *how, bool *own, struct invar_error *err)
{
    bool ok = false;
    const char *text = encoder->source.data ? encoder->source.data : "";
    struct invar_shape input = invar_net_input(encoder->net);
    struct invar_node *node = invar_node_parse(text, strlen(text), "encoder.safetensors", err);
    *own = true;
    invar_options_default(invar_data_option_table, out);
    if (!node || !invar_options_read(invar_data_option_table, out, node, "data", NULL, err))
        goto done;
    if (source) {
        enum invar_data_kind kind;
        if (invar_source_kind(source, &kind) && !invar_embed_accepts(encoder, kind, source, err))
            goto done;
        *own = data_options_same_set(out->source, source);
        if (how && how->undivided && !*own)
            out->test_fraction = 0;
        if (!invar_data_options_source(out, source, err))
            goto done;
        if (input.rank == 3 && input.height == input.width)
            out->size = input.height;
        /* 2 or 4 that files were found to have are no opacity, which would be added to files that have fewer. */
        if (input.rank == 3 && input.channels <= 16 && (out->channels || input.channels % 2 == 1))
            out->channels = input.channels;
    }
    ok = !how || data_options_set(out, how->settings, how->setting_count, err);
done:
    invar_node_free(node);
    return ok;
}

/* Of a run that was made longer the encoder comes at the end again: until then it is that of the shorter one. */
static void tell_longer(const struct invar_encoder *encoder, const char *folder)
{
    int64_t newest;

    if (encoder && encoder->steps > 0 && folder_newest(folder, INT64_MAX, &newest, NULL) && newest > encoder->steps)
        invar_log(INVAR_LOG_WARNING,
                  "%s: its encoder is that of step %lld, and the run went on to step %lld since: resume it to its end "
                  "for the encoder of that",
                  folder, (long long)encoder->steps, (long long)newest);
}

static struct invar_encoder *read_encoder(const char *folder, struct invar_error *err)
{
    char path[PATH_SIZE], agent[PATH_SIZE];
    bool there, plays;

    if (!invar_path_join(path, sizeof path, folder, "encoder.safetensors", err) ||
        !invar_path_find(path, &there, err) ||
        !invar_path_join(agent, sizeof agent, folder, "agent.safetensors", err) || !invar_path_find(agent, &plays, err))
        return NULL;
    if (!there && plays)
        invar_error_set(err, INVAR_ERROR_USAGE,
                        "%s: is the run of an agent, whose encoder is a part of %s: it can be played, and nothing else",
                        folder, agent);
    else if (!there)
        invar_error_set(err, INVAR_ERROR_FILE,
                        "%s: there is no such file; give the folder of a run that has finished (one that "
                        "has not goes on with resume)",
                        path);
    return there ? invar_encoder_read(path, err) : NULL;
}

struct invar_encoder *invar_run_encoder(const char *folder, struct invar_error *err)
{
    struct invar_encoder *encoder = read_encoder(folder, err);

    tell_longer(encoder, folder);
    return encoder;
}

bool invar_run_set_plain(struct invar_run *run, const struct invar_plain_view *plain, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    const struct invar_shape input = invar_net_input(run->encoder->net);
    const int64_t side = input.height < input.width ? input.height : input.width;

    if (info->kind != INVAR_DATA_IMAGE)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "the plain view is resized where data are images, and %s holds none: leave it out",
                               info->source);
    if (plain->resize && plain->resize < side)
        return invar_error_set(
            err, INVAR_ERROR_USAGE,
            "a plain view whose shorter side has %lld pixels, where the encoder sees %lld: give %lld "
            "or more",
            (long long)plain->resize, (long long)side, (long long)side);
    invar_dataset_set_plain(run->dataset, plain);
    return true;
}

/* Data of the run that are not what they were when it was trained; what settings change is not their doing. */
static void tell_changed(const struct invar_run *run, const struct invar_run_options *how)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    const char *before = run->encoder->identity.data;
    char difference[256];

    if (!before || !info->identity || invar_ranks_rank(how->ranks) != 0)
        return;
    for (int i = 0; i < how->setting_count; i++)
        if (!data_options_leave_samples(how->settings[i]))
            return;
    if (!(how->setting_count ? data_identity_same_samples : invar_data_identity_same)(before, info->identity,
                                                                                      difference, sizeof difference))
        invar_log(INVAR_LOG_WARNING,
                  "%s: these are other data than the encoder was trained on: %s has changed since, they differ in %s",
                  run->folder, info->source, difference);
}

static bool open_run(struct invar_run *run, const struct invar_run_options *how, struct invar_error *err)
{
    struct invar_data_options options;
    bool own;

    run->encoder = read_encoder(run->folder, err);
    if (invar_ranks_rank(how->ranks) == 0)
        tell_longer(run->encoder, run->folder);
    if (!run->encoder || !data_options(&options, run->encoder, how->source, how, &own, err))
        return false;
    run->device = invar_device_open("auto", (int)how->threads, err);
    run->dataset = run->device ? invar_dataset_open_as(&options, run->encoder->columns.data, err) : NULL;
    if (run->device && !run->dataset && !how->source && err)
        invar_source_explain(options.source, err);
    if (run->dataset && own)
        tell_changed(run, how);
    run->windows = run->dataset && invar_dataset_info(run->dataset)->kind == INVAR_DATA_AUDIO;
    return run->dataset && ((!how->plain.resize && how->plain.interpolation == INVAR_BILINEAR) ||
                            invar_run_set_plain(run, &how->plain, err));
}

bool invar_run_open(struct invar_run *run, const char *folder, const struct invar_run_options *how,
                    struct invar_error *err)
{
    *run = (struct invar_run){.folder = folder, .watch = how->watch};
    return run_share_begin(run, how->ranks, open_run(run, how, err), err);
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

static bool open_features(struct invar_run *run, const struct invar_run_features *features,
                          const struct invar_run_options *how, struct invar_error *err)
{
    struct invar_data_options options;
    char source[INVAR_TEXT_SIZE + 8];

    invar_options_default(invar_data_option_table, &options);
    snprintf(source, sizeof source, "npy:%s", features->file);
    if (!features->draw_test)
        options.test_fraction = 0;
    if (!set_text(options.source, source, "the name of the features", err) ||
        !set_text(options.labels, features->labels, "labels", err) ||
        !set_text(options.label, features->label, "label", err) ||
        !set_text(options.test, features->test, "test", err) ||
        !set_text(options.test_labels, features->test_labels, "test-labels", err))
        return false;
    for (int i = 0; i < how->setting_count; i++)
        if (!invar_options_set(invar_data_option_table, &options, how->settings[i], err))
            return false;
    run->device = invar_device_open("auto", (int)how->threads, err);
    run->dataset = run->device ? invar_dataset_open_features(&options, err) : NULL;
    return run->dataset != NULL;
}

bool invar_run_open_features(struct invar_run *run, const struct invar_run_features *features,
                             const struct invar_run_options *how, struct invar_error *err)
{
    *run = (struct invar_run){.folder = features->file, .watch = how->watch};
    return run_share_begin(run, how->ranks, open_features(run, features, how, err), err);
}

struct invar_dataset *invar_run_other(const struct invar_run *run, const char *source, const char *labels,
                                      struct invar_error *err)
{
    const struct invar_encoder *encoder = run->encoder;
    struct invar_data_options options;
    enum invar_data_kind kind;
    bool own;

    if (labels && strncmp(source, "npy:", 4) != 0) {
        invar_error_set(err, INVAR_ERROR_USAGE, "test-labels: are for an array, npy:FILE; %s has its labels with it",
                        source);
        return NULL;
    }
    if (!data_options(&options, encoder, source, NULL, &own, err) ||
        !set_text(options.labels, labels, "test-labels", err))
        return NULL;
    options.test_fraction = 0;
    if (invar_source_kind(source, &kind) && kind == INVAR_DATA_IMAGE) {
        options.mean.count = options.deviation.count = (int)invar_net_input(encoder->net).channels;
        for (int c = 0; c < options.mean.count && c < 16; c++) {
            options.mean.value[c] = (double)encoder->mean[c];
            options.deviation.value[c] = (double)encoder->deviation[c];
        }
    }
    struct invar_dataset *other = data_dataset_open_test(run->dataset, &options, encoder->columns.data, err);
    if (other)
        invar_dataset_set_plain(other, &invar_dataset_info(run->dataset)->plain);
    return other;
}

void invar_run_close(struct invar_run *run)
{
    run_test_close(run->test);
    invar_dataset_close(run->dataset);
    invar_device_close(run->device);
    invar_encoder_free(run->encoder);
    invar_free(run->share);
}

bool invar_run_embed(const struct invar_run *run, const struct invar_encoder *encoder, enum invar_split split,
                     struct invar_embedded *out, struct invar_error *err)
{
    const struct invar_embed_options options = {.precision =
                                                    run->bfloat16 ? INVAR_PRECISION_BFLOAT16 : INVAR_PRECISION_FLOAT32,
                                                .windows = run->windows,
                                                .share = run_share_of(run),
                                                .watch = run->watch};
    const int64_t known = invar_dataset_info(run->dataset)->skipped;

    if (!run->encoder)
        return invar_embed_input(run->dataset, split, out, err);
    if (run->test && split == INVAR_TEST)
        return run_test_embed(run, encoder, out, err);
    return run_share_rows(run, run->dataset, known,
                          invar_embed(run->device, encoder, run->dataset, split, &options, out, err), out, err);
}

struct invar_encoder *invar_run_random_encoder(const struct invar_run *run, struct invar_error *err)
{
    const struct invar_encoder *trained = run->encoder;
    struct invar_encoder *encoder = NULL;
    struct invar_text text = {0};
    struct invar_node *section = NULL;
    struct invar_recipe *recipe = invar_run_recipe(run->folder, NULL, 0, err);

    if (!recipe || !invar_text_printf(&text, err, "kind: %s\n%s", trained->kind,
                                      trained->options.data ? trained->options.data : ""))
        goto done;
    section = invar_node_parse(text.data, text.size, "encoder.safetensors", err);
    encoder = section
                  ? invar_encoder_create(section, invar_net_input(trained->net), (uint64_t)recipe->training.seed, err)
                  : NULL;
    if (encoder) {
        memcpy(encoder->mean, trained->mean, sizeof encoder->mean);
        memcpy(encoder->deviation, trained->deviation, sizeof encoder->deviation);
    }
done:
    invar_node_free(section);
    invar_text_free(&text);
    invar_recipe_free(recipe);
    return encoder;
}

int64_t invar_run_width(const struct invar_run *run)
{
    const struct invar_shape shape = invar_net_output(run->encoder->net);

    return shape.channels * (shape.rank == 3 ? shape.height * shape.width : 1);
}
