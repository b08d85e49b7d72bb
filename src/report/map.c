/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The embedding map: representations h of evenly spaced samples of the test split (the training split where there is no
 * other), by principal components and by t-SNE, each with what shows its sample: a tile of one picture, or its row.
 */
#include "eval/pass.h"
#include "eval/runner.h"
#include "invar/memory.h"
#include "report/json.h"
#include "report/pca.h"
#include "run/picture.h"
#include "report/subject.h"
#include "report/tsne.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { COMPONENTS = 50, LARGEST_TILE = 32, TABLE_COLUMNS = 16, CELL_SIZE = 64 };

struct map {
    const struct report_subject *subject;
    enum invar_split split;
    int64_t wanted, rows, cols; /* samples asked for and read; D */
    int64_t *index, *label;     /* [wanted] */
    float *h;                   /* [wanted][D] */
    float *scores, *place;      /* [rows][COMPONENTS] principal components; [rows][2] t-SNE */
    double share[COMPONENTS];
    int tile_width, tile_height, tile_columns;
    struct picture_shades shades;
    uint8_t *tiles;            /* one picture of all tiles; NULL for tables */
    struct json_writer values; /* tables: [rows][columns] texts, open */
};

static void map_free(struct map *m)
{
    invar_free(m->index);
    invar_free(m->label);
    invar_free(m->h);
    invar_free(m->scores);
    invar_free(m->place);
    invar_free(m->tiles);
    json_writer_free(&m->values);
}

/* ---- what shows a sample ---- */

static bool tiles_alloc(struct map *m, struct invar_error *err)
{
    const struct invar_dataset_info *info = &m->subject->info;
    const int longer = info->height > info->width ? info->height : info->width;
    const double scale = longer > LARGEST_TILE ? (double)LARGEST_TILE / longer : 1;

    if (info->kind == INVAR_DATA_TABLE) {
        json_open_array(&m->values, NULL);
        return true;
    }
    m->tile_width = (int)fmax(1, floor(scale * info->width));
    m->tile_height = (int)fmax(1, floor(scale * info->height));
    m->tile_columns = (int)ceil(sqrt((double)m->wanted));
    const size_t tiles = (size_t)m->tile_columns * (size_t)m->tile_columns;
    m->tiles = invar_alloc(tiles * (size_t)m->tile_width, (size_t)m->tile_height * 3, err);
    return m->tiles != NULL;
}

static void put_tile(struct map *m, const float *x, int64_t row)
{
    const struct invar_dataset_info *info = &m->subject->info;
    const int width = m->tile_columns * m->tile_width;
    const int64_t top = row / m->tile_columns * m->tile_height, left = row % m->tile_columns * m->tile_width;

    picture_draw(&m->shades, x, info->height, info->width, m->tiles + (top * width + left) * m->shades.channels,
                 m->tile_height, m->tile_width, width);
}

/* A column's value as the table had it. */
static void column_text(const struct invar_column *column, const float *x, char *out, size_t size)
{
    const float *place = x + column->first;
    int hot = 0;

    if (column->kind == INVAR_COLUMN_NUMERIC) {
        if (column->indicator && place[1] > 0.5F)
            snprintf(out, size, "missing");
        else
            snprintf(out, size, "%.5g", (double)place[0] * column->deviation + column->mean);
        return;
    }
    while (hot < column->places && !(place[hot] > 0.5F))
        hot++;
    snprintf(out, size, "%.60s",
             hot < column->categories    ? column->category[hot]
             : hot == column->categories ? "missing"
                                         : "other");
}

static void put_row(struct map *m, const float *x)
{
    const struct invar_table *table = m->subject->info.table;
    char text[CELL_SIZE];

    json_open_array(&m->values, NULL);
    for (int k = 0, shown = 0; table && k < table->count && shown < TABLE_COLUMNS; k++)
        if (table->column[k].places > 0) {
            column_text(&table->column[k], x, text, sizeof text);
            json_text(&m->values, NULL, text);
            shown++;
        }
    json_close(&m->values);
}

/* ---- samples and their representations ---- */

static void keep(struct map *m, const struct pass *pass, const float *h, int64_t got)
{
    if (m->rows == 0)
        m->shades = picture_shades_of(&m->subject->info, pass->views, got * pass->view_size);
    for (int64_t i = 0; i < got; i++) {
        const float *x = pass->views + i * pass->view_size;
        if (!pass_is_own(pass, i))
            continue;
        m->index[m->rows] = pass->samples[i].index;
        m->label[m->rows] = pass->samples[i].label;
        memcpy(m->h + m->rows * m->cols, h + i * m->cols, (size_t)m->cols * sizeof *h);
        if (m->tiles)
            put_tile(m, x, m->rows);
        else
            put_row(m, x);
        m->rows++;
    }
}

static bool map_alloc(struct map *m, struct invar_error *err)
{
    const size_t wanted = (size_t)m->wanted;

    m->index = invar_alloc(wanted, sizeof *m->index, err);
    m->label = invar_alloc(wanted, sizeof *m->label, err);
    m->h = invar_alloc(wanted, (size_t)m->cols * sizeof *m->h, err);
    m->scores = invar_alloc(wanted, COMPONENTS * sizeof *m->scores, err);
    m->place = invar_alloc(wanted, 2 * sizeof *m->place, err);
    return m->index && m->label && m->h && m->scores && m->place && tiles_alloc(m, err);
}

static bool embed(struct map *m, const struct invar_report_options *options, struct invar_error *err)
{
    const struct report_subject *s = m->subject;
    const int64_t all = s->info.count[m->split];
    struct pass_options how = {.split = m->split, .count = m->wanted};
    struct pass pass = {0};
    struct runner runner = {0};
    int64_t got = 0;
    bool ok = false;
    int64_t *order = invar_alloc((size_t)m->wanted, sizeof *order, err);

    if (!order)
        return false;
    for (int64_t i = 0; i < m->wanted; i++)
        order[i] = (int64_t)((double)i * (double)all / (double)m->wanted);
    how.order = order;
    if (!runner_open(&runner, s->device, s->encoder, NULL, INVAR_PRECISION_FLOAT32, err))
        goto done;
    m->cols = runner.h_cols;
    if (!map_alloc(m, err) || !pass_open(&pass, s->dataset, &how, &s->info, err))
        goto done;
    do {
        if (!pass_next(&pass, &got, err) || (got && !runner_run(&runner, pass.views, got, err)))
            goto done;
        keep(m, &pass, runner.h, got);
        pass.done += got;
        if (!invar_watch_tell(options->watch,
                              &(struct invar_progress){"embedding map", "samples", pass.done, pass.total, NULL}, err))
            goto done;
    } while (got);
    ok = true;
done:
    pass_close(&pass);
    runner_close(&runner);
    invar_free(order);
    return ok;
}

/* ---- as JSON ---- */

/* Into an object that is open. */
static void put_places(struct json_writer *w, const float *x, int64_t rows, int64_t stride)
{
    json_floats(w, "x", x, rows, stride);
    json_floats(w, "y", x + 1, rows, stride);
}

/* Runs of one data set have the same tiles: the page holds them once. */
static bool put_tiles(const struct map *m, char **tiles, int run, struct json_writer *w, struct invar_error *err)
{
    const int lines = (int)((m->rows + m->tile_columns - 1) / m->tile_columns);
    char *uri = picture_uri(m->tiles, lines * m->tile_height, m->tile_columns * m->tile_width, m->shades.channels, err);
    int like = 0;

    if (!uri)
        return false;
    while (like < run && (!tiles[like] || strcmp(tiles[like], uri) != 0))
        like++;
    json_open_object(w, "tile");
    if (like == run)
        json_text(w, "uri", uri);
    json_number(w, "width", m->tile_width);
    json_number(w, "height", m->tile_height);
    json_number(w, "columns", m->tile_columns);
    json_number(w, "lines", lines);
    if (like < run)
        json_number(w, "like", like);
    json_close(w);
    invar_free(tiles[run]);
    tiles[run] = like == run ? uri : NULL;
    if (like < run)
        invar_free(uri);
    return true;
}

static bool put_rows(struct map *m, struct json_writer *w, struct invar_error *err)
{
    const struct invar_table *table = m->subject->info.table;

    json_open_array(w, "columns");
    for (int k = 0, shown = 0; table && k < table->count && shown < TABLE_COLUMNS; k++)
        if (table->column[k].places > 0) {
            json_text(w, NULL, table->column[k].name);
            shown++;
        }
    json_close(w);
    json_close(&m->values);
    if (!json_written(&m->values, "the map of the report", err))
        return false;
    json_raw(w, "values", m->values.text.data);
    return true;
}

static void put_tsne(const struct map *m, const struct tsne_options *tsne, double divergence, struct json_writer *w)
{
    json_open_object(w, "tsne");
    put_places(w, m->place, m->rows, 2);
    json_number(w, "perplexity", fmin(tsne->perplexity, (double)(m->rows - 1) / 3));
    json_number(w, "iterations", (double)tsne->iterations);
    json_number(w, "seed", (double)tsne->seed);
    json_number(w, "divergence", divergence);
    json_close(w);
}

static char *describe(struct map *m, const struct tsne_options *tsne, double divergence, const char *no_tsne,
                      char **tiles, int run, struct invar_error *err)
{
    struct json_writer w = {0};

    json_open_object(&w, NULL);
    json_text(&w, "split", m->split == INVAR_TEST ? "test" : "training");
    json_text(&w, "source", m->subject->info.source);
    json_number(&w, "dimensions", (double)m->cols);
    json_number(&w, "all", (double)m->subject->info.count[m->split]);
    report_put_classes(&m->subject->info, &w);
    json_integers(&w, "index", m->index, m->rows);
    json_integers(&w, "label", m->label, m->rows);
    json_open_object(&w, "pca");
    put_places(&w, m->scores, m->rows, COMPONENTS);
    json_reals(&w, "share", m->share, 2, 1);
    json_close(&w);
    if (no_tsne[0])
        json_absent(&w, "tsne", no_tsne);
    else
        put_tsne(m, tsne, divergence, &w);
    const bool ok = m->tiles ? put_tiles(m, tiles, run, &w, err) : put_rows(m, &w, err);
    json_close(&w);
    if (ok)
        return json_take(&w, err);
    json_writer_free(&w);
    return NULL;
}

char *report_map(const struct report_subject *subject, const struct invar_report_options *options, char **tiles,
                 int run, struct invar_error *err)
{
    struct map m = {.subject = subject, .split = subject->info.count[INVAR_TEST] > 0 ? INVAR_TEST : INVAR_TRAIN};
    struct tsne_options tsne = tsne_options_default();
    struct invar_error no_tsne = {0};
    double divergence = 0;
    float *start = NULL;
    char *out = NULL;

    tsne.seed = options->seed;
    m.wanted = subject->info.count[m.split] < options->samples ? subject->info.count[m.split] : options->samples;
    if (m.wanted < 2) {
        invar_error_set(err, INVAR_ERROR_DATA, "%s has %lld samples to show; a map needs 2 or more",
                        subject->info.source, (long long)m.wanted);
        return NULL;
    }
    if (!embed(&m, options, err) || !pca_map(subject->device, m.h, m.rows, m.cols, COMPONENTS, m.scores, m.share, err))
        goto done;
    start = invar_alloc((size_t)m.rows, 2 * sizeof *start, err);
    if (!start)
        goto done;
    for (int64_t i = 0; i < m.rows; i++)
        memcpy(start + 2 * i, m.scores + i * COMPONENTS, 2 * sizeof *start);
    if (!tsne_map(m.scores, m.rows, COMPONENTS, start, &tsne, m.place, &divergence, &no_tsne) &&
        no_tsne.code == INVAR_ERROR_MEMORY) {
        invar_error_set(err, no_tsne.code, "%s", no_tsne.message);
        goto done;
    }
    out = describe(&m, &tsne, divergence, no_tsne.message, tiles, run, err);
done:
    invar_free(start);
    map_free(&m);
    return out;
}
