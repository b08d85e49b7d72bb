/* SPDX-License-Identifier: Apache-2.0 */
/* The files of TensorBoard's embedding projector. */
#include "report/embedding_projector.h"
#include "eval/pass.h"
#include "eval/runner.h"
#include "invar/eval.h"
#include "invar/expert/file.h"
#include "invar/memory.h"
#include "run/apart.h"
#include "run/picture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* TensorBoard takes no sprite larger than 8192 pixels a side. */
enum { PATH_SIZE = 4096, LARGEST_TILE = 48, LARGEST_SPRITE = 8192 };

struct embedding_projector {
    const struct embedding_projector_subject *subject;
    struct invar_dataset_info info; /* as the encoder sees them */
    struct pass pass;
    struct runner runner;
    int64_t *order, wanted, rows;
    struct invar_writer *tensors, *metadata;
    struct picture_shades shades;
    int tile_width, tile_height, columns;
    uint8_t *sprite; /* NULL for tables */
};

static void embedding_projector_close(struct embedding_projector *p)
{
    invar_writer_close(p->tensors);
    invar_writer_close(p->metadata);
    pass_close(&p->pass);
    runner_close(&p->runner);
    invar_free(p->order);
    invar_free(p->sprite);
}

static struct invar_writer *open_in(const char *folder, const char *name, struct invar_error *err)
{
    char path[PATH_SIZE];
    return invar_path_join(path, sizeof path, folder, name, err) ? invar_writer_open(path, err) : NULL;
}

static bool make_sprite(struct embedding_projector *p, struct invar_error *err)
{
    const int longer = p->info.height > p->info.width ? p->info.height : p->info.width;
    int side = longer < LARGEST_TILE ? longer : LARGEST_TILE;

    if (p->info.kind == INVAR_DATA_TABLE)
        return true;
    p->columns = (int)ceil(sqrt((double)p->wanted));
    if (p->columns > LARGEST_SPRITE)
        return true;
    if (side > LARGEST_SPRITE / p->columns)
        side = LARGEST_SPRITE / p->columns;
    p->tile_width = p->info.width * side / longer > 1 ? p->info.width * side / longer : 1;
    p->tile_height = p->info.height * side / longer > 1 ? p->info.height * side / longer : 1;
    const size_t tiles = (size_t)p->columns * (size_t)p->columns;
    p->sprite = invar_alloc(tiles * (size_t)p->tile_width, (size_t)p->tile_height * 3, err);
    return p->sprite != NULL;
}

static bool embedding_projector_open(struct embedding_projector *p, const char *folder, struct invar_error *err)
{
    const struct embedding_projector_subject *s = p->subject;
    const struct invar_dataset_info *info = invar_dataset_info(s->dataset);
    const int64_t count = info->count[s->split];

    if (count == 0)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s has no %s samples to show: choose another split",
                               info->source, s->split == INVAR_TRAIN ? "training" : "test");
    p->info = *info;
    p->wanted = count < s->most_samples ? count : s->most_samples;
    p->order = invar_alloc((size_t)p->wanted, sizeof *p->order, err);
    if (!p->order)
        return false;
    for (int64_t i = 0; i < p->wanted; i++)
        p->order[i] = i * count / p->wanted;
    const struct pass_options options = {.split = s->split, .order = p->order, .count = p->wanted};
    if (!invar_embed_accepts(s->encoder, info->kind, info->source, err) ||
        !runner_views(s->encoder, info, &p->info, err) || !make_sprite(p, err) ||
        !pass_open(&p->pass, s->dataset, &options, &p->info, err) ||
        !runner_open(&p->runner, s->device, s->encoder, NULL, INVAR_PRECISION_FLOAT32, err) ||
        !invar_folder_create(folder, err))
        return false;
    p->tensors = open_in(folder, "tensors.bytes", err);
    p->metadata = open_in(folder, "metadata.tsv", err);
    return p->tensors && p->metadata && invar_writer_printf(p->metadata, err, "label\tindex\n");
}

/* Tabs and line ends part the cells of the file, so a name has none. */
static bool put_label(struct embedding_projector *p, const struct invar_sample *sample, struct invar_error *err)
{
    const struct invar_dataset_info *info = &p->info;
    char name[256] = "none";

    if (sample->label >= 0 && sample->label < info->classes && info->class_names)
        snprintf(name, sizeof name, "%s", info->class_names[sample->label]);
    else if (sample->label >= 0)
        snprintf(name, sizeof name, "%lld", (long long)sample->label);
    for (char *c = name; *c; c++)
        if ((unsigned char)*c < 0x20)
            *c = ' ';
    return invar_writer_printf(p->metadata, err, "%s\t%lld\n", name, (long long)sample->index);
}

static void put_tile(struct embedding_projector *p, const float *x)
{
    const int width = p->columns * p->tile_width;
    const int64_t top = p->rows / p->columns * p->tile_height, left = p->rows % p->columns * p->tile_width;

    picture_draw(&p->shades, x, p->info.height, p->info.width, p->sprite + (top * width + left) * p->shades.channels,
                 p->tile_height, p->tile_width, width);
}

static bool put_batch(struct embedding_projector *p, int64_t got, struct invar_error *err)
{
    const int64_t size = p->pass.view_size, cols = p->runner.h_cols;

    if (p->rows == 0)
        p->shades = picture_shades_of(&p->info, p->pass.views, got * size);
    for (int64_t i = 0; i < got; i++) {
        const float *h = p->runner.h + i * cols;
        if (!pass_is_own(&p->pass, i))
            continue;
        for (int64_t j = 0; j < cols; j++)
            if (!isfinite(h[j]))
                return invar_error_set(err, INVAR_ERROR_NUMERIC,
                                       "the representation of sample %lld holds NaN or Inf, so it has no place "
                                       "in a projection",
                                       (long long)p->pass.samples[i].index);
        if (!invar_writer_put(p->tensors, h, (size_t)cols * sizeof *h, err) || !put_label(p, &p->pass.samples[i], err))
            return false;
        if (p->sprite)
            put_tile(p, p->pass.views + i * size);
        p->rows++;
    }
    return true;
}

static bool put_all(struct embedding_projector *p, struct invar_error *err)
{
    int64_t got = 0;

    do {
        if (!pass_next(&p->pass, &got, err) || !runner_run(&p->runner, p->pass.views, got, err) ||
            !put_batch(p, got, err))
            return false;
        p->pass.done += got;
        if (!invar_watch_tell(p->subject->watch,
                              &(struct invar_progress){"projector", "samples", p->pass.done, p->pass.total, NULL}, err))
            return false;
    } while (got);
    return p->rows > 0 ||
           invar_error_set(err, INVAR_ERROR_DATA, "%s: none of the samples could be read", p->info.source);
}

static bool write_sprite(const struct embedding_projector *p, const char *folder, struct invar_error *err)
{
    char path[PATH_SIZE];
    const int rows = (int)((p->rows + p->columns - 1) / p->columns);

    return invar_path_join(path, sizeof path, folder, "sprite.png", err) &&
           invar_picture_write(path, p->sprite, rows * p->tile_height, p->columns * p->tile_width, p->shades.channels,
                               err);
}

/* A text in the form of a quoted protobuf string. */
static bool put_quoted(struct invar_text *out, const char *text, struct invar_error *err)
{
    bool ok = invar_text_printf(out, err, "\"");
    for (; ok && *text; text++)
        ok = (unsigned char)*text < 0x20 || *text == '"' || *text == '\\'
                 ? invar_text_printf(out, err, "\\%03o", (unsigned)(unsigned char)*text)
                 : invar_text_printf(out, err, "%c", *text);
    return ok && invar_text_printf(out, err, "\"");
}

static bool write_config(const struct embedding_projector *p, const char *folder, struct invar_error *err)
{
    char path[PATH_SIZE];
    struct invar_text text = {0};
    bool ok = invar_text_printf(&text, err, "embeddings {\n  tensor_name: ") &&
              put_quoted(&text, p->subject->name, err) &&
              invar_text_printf(&text, err,
                                "\n  tensor_path: \"tensors.bytes\"\n  tensor_shape: %lld\n  tensor_shape: %lld\n  "
                                "metadata_path: \"metadata.tsv\"\n",
                                (long long)p->rows, (long long)p->runner.h_cols);
    if (ok && p->sprite)
        ok = invar_text_printf(&text, err,
                               "  sprite {\n    image_path: \"sprite.png\"\n    single_image_dim: %d\n    "
                               "single_image_dim: %d\n  }\n",
                               p->tile_width, p->tile_height);
    ok = ok && invar_text_printf(&text, err, "}\n") &&
         invar_path_join(path, sizeof path, folder, "projector_config.pbtxt", err) &&
         invar_file_write(path, text.data, text.size, err);
    invar_text_free(&text);
    return ok;
}

/* Before anything is computed. */
static bool check_places(const struct embedding_projector_subject *subject, const char *folder, struct invar_error *err)
{
    static const char *const names[] = {"tensors.bytes", "metadata.tsv", "sprite.png", "projector_config.pbtxt"};
    char path[PATH_SIZE];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!invar_path_join(path, sizeof path, folder, names[i], err) ||
            !run_place_apart(subject->name, subject->how, path, "projector", err))
            return false;
    return true;
}

bool report_embedding_projector_write(const char *folder, const struct embedding_projector_subject *subject,
                                      int64_t *samples, struct invar_error *err)
{
    struct embedding_projector p = {.subject = subject};
    const bool ok = check_places(subject, folder, err) && embedding_projector_open(&p, folder, err) &&
                    put_all(&p, err) && invar_writer_commit(p.tensors, err) && invar_writer_commit(p.metadata, err) &&
                    (!p.sprite || write_sprite(&p, folder, err)) && write_config(&p, folder, err);
    *samples = p.rows;
    embedding_projector_close(&p);
    return ok;
}
