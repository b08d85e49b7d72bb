/* SPDX-License-Identifier: Apache-2.0 */
/* Embeddings of both splits one after the other, and what is said of them. */
#include "run/results.h"
#include "study/embedding.h"

#include <math.h>
#include <string.h>

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

bool study_embed(const struct invar_run *run, const char *split, bool normalise, struct invar_embedded *out,
                 int64_t *train_rows, struct invar_error *err)
{
    bool all = strcmp(split, "all") == 0;
    int64_t tests = invar_dataset_info(run->dataset)->count[INVAR_TEST];
    struct invar_embedded rest = {0};
    enum invar_split first = strcmp(split, "test") == 0 ? INVAR_TEST : INVAR_TRAIN;
    if (!invar_run_embed(run, run->encoder, first, out, err))
        return false;
    *train_rows = first == INVAR_TRAIN ? out->features.shape[0] : 0;
    bool ok = true;
    if (all && tests)
        ok = invar_run_embed(run, run->encoder, INVAR_TEST, &rest, err) &&
             append(&out->features, &rest.features, err) && append(&out->labels, &rest.labels, err) &&
             append(&out->index, &rest.index, err);
    out->pooled += rest.pooled;
    invar_embedded_free(&rest);
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
