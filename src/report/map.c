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
    uint8_t *tiles; /* one picture of all tiles; NULL for tables */
    cJSON *values;  /* tables: [rows][columns] texts */
};

static void map_free(struct map *m)
{
    invar_free(m->index);
    invar_free(m->label);
    invar_free(m->h);
    invar_free(m->scores);
    invar_free(m->place);
    invar_free(m->tiles);
    cJSON_Delete(m->values);
}

/* ---- what shows a sample ---- */

static bool tiles_alloc(struct map *m, struct invar_error *err)
{
    const struct invar_dataset_info *info = &m->subject->info;
    const int longer = info->height > info->width ? info->height : info->width;
    const double scale = longer > LARGEST_TILE ? (double)LARGEST_TILE / longer : 1;

    if (info->kind == INVAR_DATA_TABLE) {
        m->values = cJSON_CreateArray();
        return m->values != NULL;
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

static bool put_row(struct map *m, const float *x)
{
    const struct invar_table *table = m->subject->info.table;
    cJSON *row = cJSON_CreateArray();
    char text[CELL_SIZE];

    if (!cJSON_AddItemToArray(m->values, row))
        return false;
    for (int k = 0, shown = 0; table && k < table->count && shown < TABLE_COLUMNS; k++)
        if (table->column[k].places > 0) {
            column_text(&table->column[k], x, text, sizeof text);
            cJSON_AddItemToArray(row, cJSON_CreateString(text));
            shown++;
        }
    return true;
}

/* ---- samples and their representations ---- */

static bool keep(struct map *m, const struct pass *pass, const float *h, int64_t got, struct invar_error *err)
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
        else if (!put_row(m, x))
            return invar_error_set(err, INVAR_ERROR_MEMORY, "there is not enough memory for the map of the report");
        m->rows++;
    }
    return true;
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
        if (!pass_next(&pass, &got, err) || (got && !runner_run(&runner, pass.views, got, err)) ||
            !keep(m, &pass, runner.h, got, err))
            goto done;
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

static void add_places(cJSON *out, const char *name, const float *x, int64_t rows, int64_t stride)
{
    cJSON *object = cJSON_AddObjectToObject(out, name);

    cJSON_AddItemToObject(object, "x", json_floats(x, rows, stride));
    cJSON_AddItemToObject(object, "y", json_floats(x + 1, rows, stride));
}

static bool add_tiles(struct map *m, cJSON *out, struct invar_error *err)
{
    const int lines = (int)((m->rows + m->tile_columns - 1) / m->tile_columns);
    char *uri = picture_uri(m->tiles, lines * m->tile_height, m->tile_columns * m->tile_width, m->shades.channels, err);
    cJSON *tile = cJSON_AddObjectToObject(out, "tile");

    if (!uri)
        return false;
    cJSON_AddStringToObject(tile, "uri", uri);
    cJSON_AddNumberToObject(tile, "width", m->tile_width);
    cJSON_AddNumberToObject(tile, "height", m->tile_height);
    cJSON_AddNumberToObject(tile, "columns", m->tile_columns);
    cJSON_AddNumberToObject(tile, "lines", lines);
    invar_free(uri);
    return true;
}

static void add_rows(struct map *m, cJSON *out)
{
    const struct invar_table *table = m->subject->info.table;
    cJSON *names = cJSON_AddArrayToObject(out, "columns");

    for (int k = 0; table && k < table->count && cJSON_GetArraySize(names) < TABLE_COLUMNS; k++)
        if (table->column[k].places > 0)
            cJSON_AddItemToArray(names, cJSON_CreateString(table->column[k].name));
    cJSON_AddItemToObject(out, "values", m->values);
    m->values = NULL;
}

static cJSON *describe(struct map *m, const struct tsne_options *tsne, double divergence, const char *no_tsne,
                       struct invar_error *err)
{
    cJSON *out = cJSON_CreateObject();

    cJSON_AddStringToObject(out, "split", m->split == INVAR_TEST ? "test" : "training");
    cJSON_AddStringToObject(out, "source", m->subject->info.source);
    cJSON_AddNumberToObject(out, "dimensions", (double)m->cols);
    cJSON_AddNumberToObject(out, "all", (double)m->subject->info.count[m->split]);
    cJSON_AddItemToObject(out, "classes", report_class_names(&m->subject->info));
    cJSON_AddItemToObject(out, "index", json_integers(m->index, m->rows));
    cJSON_AddItemToObject(out, "label", json_integers(m->label, m->rows));
    add_places(out, "pca", m->scores, m->rows, COMPONENTS);
    cJSON_AddItemToObject(cJSON_GetObjectItem(out, "pca"), "share", json_reals(m->share, 2, 1));
    if (no_tsne[0]) {
        cJSON_AddItemToObject(out, "tsne", json_absent(no_tsne));
    } else {
        add_places(out, "tsne", m->place, m->rows, 2);
        cJSON *object = cJSON_GetObjectItem(out, "tsne");
        cJSON_AddNumberToObject(object, "perplexity", fmin(tsne->perplexity, (double)(m->rows - 1) / 3));
        cJSON_AddNumberToObject(object, "iterations", (double)tsne->iterations);
        cJSON_AddNumberToObject(object, "seed", (double)tsne->seed);
        cJSON_AddNumberToObject(object, "divergence", divergence);
    }
    if (!m->tiles) {
        add_rows(m, out);
    } else if (!add_tiles(m, out, err)) {
        cJSON_Delete(out);
        return NULL;
    }
    return out;
}

cJSON *report_map(const struct report_subject *subject, const struct invar_report_options *options,
                  struct invar_error *err)
{
    struct map m = {.subject = subject, .split = subject->info.count[INVAR_TEST] > 0 ? INVAR_TEST : INVAR_TRAIN};
    struct tsne_options tsne = tsne_options_default();
    struct invar_error no_tsne = {0};
    double divergence = 0;
    float *start = NULL;
    cJSON *out = NULL;

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
    out = describe(&m, &tsne, divergence, no_tsne.message, err);
done:
    invar_free(start);
    map_free(&m);
    return out;
}
