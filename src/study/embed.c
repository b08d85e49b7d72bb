/* SPDX-License-Identifier: Apache-2.0 */
/* Embeddings of both splits, and what is said of them. */
#include "run/results.h"
#include "study/embedding.h"
#include "invar/memory.h"

#include <math.h>
#include <string.h>

static void copy_row(struct invar_array *to, int64_t row, const struct invar_array *from, int64_t at)
{
    const size_t cols = from->rank > 1 ? (size_t)from->shape[1] : 1, size = cols * invar_dtype_size(from->dtype);

    memcpy((char *)to->data + (size_t)row * size, (const char *)from->data + (size_t)at * size, size);
}

static bool make_array(struct invar_array *out, const struct invar_array *like, int64_t rows, struct invar_error *err)
{
    const int64_t shape[] = {rows, like->shape[1]};

    return invar_array_alloc(out, like->dtype, like->rank, shape, err);
}

/* Rows of both splits as one, in the order of the source; each is in that order already. */
static bool merge(const struct invar_dataset *dataset, const struct invar_embedded part[2], struct invar_embedded *out,
                  uint8_t *split_of, struct invar_error *err)
{
    const int64_t counts[2] = {part[0].features.shape[0], part[1].features.shape[0]}, rows = counts[0] + counts[1];
    int64_t at[2] = {0, 0}, item[2];

    out->pooled = part[0].pooled + part[1].pooled;
    if (!make_array(&out->features, &part[0].features, rows, err) ||
        !make_array(&out->labels, &part[0].labels, rows, err) || !make_array(&out->index, &part[0].index, rows, err))
        return false;
    for (int64_t row = 0; row < rows; row++) {
        for (int s = INVAR_TRAIN; s <= INVAR_TEST; s++) {
            const int64_t *index = part[s].index.data;
            item[s] =
                at[s] < counts[s] ? invar_dataset_origin(dataset, (enum invar_split)s, index[at[s]]).item : INT64_MAX;
        }
        const int s = item[INVAR_TEST] < item[INVAR_TRAIN];
        copy_row(&out->features, row, &part[s].features, at[s]);
        copy_row(&out->labels, row, &part[s].labels, at[s]);
        copy_row(&out->index, row, &part[s].index, at[s]++);
        split_of[row] = (uint8_t)s;
    }
    return true;
}

/* Every row to length 1; a row of zeros has no direction and stays. */
static void normalise_rows(struct invar_array *features)
{
    const int64_t rows = features->shape[0], cols = features->shape[1];

    for (int64_t i = 0; i < rows; i++) {
        float *row = (float *)features->data + i * cols;
        double squares = 0;
        for (int64_t j = 0; j < cols; j++)
            squares += (double)row[j] * (double)row[j];
        for (int64_t j = 0; squares > 0 && j < cols; j++)
            row[j] = (float)((double)row[j] / sqrt(squares));
    }
}

bool study_embed(const struct invar_run *run, const bool wanted[2], bool normalise, struct invar_embedded *out,
                 uint8_t **split_of, struct invar_error *err)
{
    const int64_t tests = invar_dataset_info(run->dataset)->count[INVAR_TEST];
    const bool train = wanted[INVAR_TRAIN], test = wanted[INVAR_TEST] && (tests || !train);
    struct invar_embedded part[2] = {{.pooled = 0}, {.pooled = 0}};
    bool ok = (!train || invar_run_embed(run, run->encoder, INVAR_TRAIN, &part[INVAR_TRAIN], err)) &&
              (!test || invar_run_embed(run, run->encoder, INVAR_TEST, &part[INVAR_TEST], err));
    const int64_t rows = ok ? part[0].features.shape[0] + part[1].features.shape[0] : 0;

    *split_of = ok ? invar_alloc((size_t)rows + 1, sizeof **split_of, err) : NULL;
    ok = *split_of != NULL;
    if (ok && train && test) {
        ok = merge(run->dataset, part, out, *split_of, err);
    } else if (ok) {
        memset(*split_of, test, (size_t)rows);
        *out = part[test];
        part[test] = (struct invar_embedded){.pooled = 0};
    }
    invar_embedded_free(&part[0]);
    invar_embedded_free(&part[1]);
    if (ok && normalise)
        normalise_rows(&out->features);
    return ok;
}

static cJSON *left_out_json(const struct study_table *table)
{
    cJSON *list = cJSON_CreateArray();
    struct invar_left_out one;

    for (int64_t i = 0; invar_dataset_left_out(table->dataset, i, &one); i++) {
        if (!table->split[one.split])
            continue;
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "split", one.split == INVAR_TRAIN ? "train" : "test");
        if (one.origin.path)
            cJSON_AddStringToObject(item, "path", one.origin.path);
        cJSON_AddNumberToObject(item, "item", (double)one.origin.item);
        cJSON_AddStringToObject(item, "why", one.why);
        cJSON_AddItemToArray(list, item);
    }
    return list;
}

/* Cells whose category training did not see, by column. */
static cJSON *unseen_json(const struct invar_table *table)
{
    cJSON *object = cJSON_CreateObject();

    for (int c = 0; c < table->count; c++) {
        const int64_t cells = table->column[c].unseen[INVAR_TRAIN] + table->column[c].unseen[INVAR_TEST];
        if (cells)
            cJSON_AddNumberToObject(object, table->column[c].name, (double)cells);
    }
    return object;
}

struct invar_results *study_embedding_results(const struct invar_run *run, const struct study_table *table,
                                              const char *split, const struct study_places *places,
                                              struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    const struct invar_embedded *embedded = table->embedded;
    int64_t window, hop;
    struct invar_results *results = run_results_create(err);
    cJSON *root = results ? results->root : NULL;

    if (!results)
        return NULL;
    cJSON_AddStringToObject(root, "file", places->output);
    if (places->labels)
        cJSON_AddStringToObject(root, "labels", places->labels);
    if (places->rows[0])
        cJSON_AddStringToObject(root, "rows_file", places->rows);
    run_add_data(info, root);
    cJSON_AddStringToObject(root, "split", split);
    cJSON_AddStringToObject(root, "precision",
                            invar_precision_name(run->bfloat16 ? INVAR_PRECISION_BFLOAT16 : INVAR_PRECISION_FLOAT32));
    cJSON_AddNumberToObject(root, "rows", (double)embedded->features.shape[0]);
    cJSON_AddNumberToObject(root, "dimensions", (double)embedded->features.shape[1]);
    cJSON_AddNumberToObject(root, "skipped", (double)info->skipped);
    cJSON_AddItemToObject(root, "left_out", left_out_json(table));
    if (info->kind == INVAR_DATA_IMAGE)
        cJSON_AddNumberToObject(root, "converted", (double)info->converted);
    if (info->table)
        cJSON_AddItemToObject(root, "unseen", unseen_json(info->table));
    cJSON_AddNumberToObject(root, "pooled", (double)embedded->pooled);
    if (run->windows && invar_embed_window(info, run->encoder, &window, &hop)) {
        cJSON_AddNumberToObject(root, "window", (double)window);
        cJSON_AddNumberToObject(root, "hop", (double)hop);
    }
    return results;
}
