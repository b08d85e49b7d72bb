/* SPDX-License-Identifier: Apache-2.0 */
/* A table from a CSV to an encoder, its representations and a linear probe of them: table FILE.csv LABEL FOLDER.
   cc table.c $(pkg-config --cflags --libs invar) */
#include <invar/invar.h>

#include <stdio.h>

static bool train(const char *file, const char *label, const char *folder, struct invar_error *err)
{
    char source[1024], column[1024];
    snprintf(source, sizeof source, "data.source=csv:%s", file);
    snprintf(column, sizeof column, "data.label=%s", label);
    const char *const changes[] = {source, column, "training.steps=200", "training.batch=64"};
    struct invar_recipe *recipe = invar_recipe_load("simclr-table", changes, 4, err);
    struct invar_device *device = recipe ? invar_device_open("cpu", 0, err) : NULL;
    struct invar_dataset *data = device ? invar_dataset_open(&recipe->data, err) : NULL;
    const struct invar_trainer_options options = {.folder = folder};
    struct invar_trainer *trainer = data ? invar_trainer_create(recipe, data, device, &options, err) : NULL;
    const bool ok = trainer && invar_trainer_run(trainer, err);
    invar_trainer_free(trainer);
    invar_dataset_close(data);
    invar_device_close(device);
    invar_recipe_free(recipe);
    return ok;
}

static struct invar_matrix matrix_of(const struct invar_array *a)
{
    return (struct invar_matrix){a->dtype, a->shape[0], a->shape[1], a->data};
}

static bool probe(const struct invar_embedded *train_set, const struct invar_embedded *test_set, int classes,
                  struct invar_error *err)
{
    struct invar_probe_options options;
    struct invar_probe_result result = {0};
    const struct invar_matrix x = matrix_of(&train_set->features), y = matrix_of(&test_set->features);
    invar_options_default(invar_probe_option_table, &options);
    if (!invar_probe_fit(&x, train_set->labels.data, &y, test_set->labels.data, classes, &options, &result, err))
        return false;
    printf("%lld numbers a row, top-1 %.2f %% of %lld test rows (%.2f - %.2f)\n", (long long)result.dimensions,
           result.test.top1, (long long)result.test_count, result.test.low, result.test.high);
    invar_probe_result_free(&result);
    return true;
}

static bool embed(const char *file, const char *label, const char *folder, struct invar_error *err)
{
    char path[1024];
    struct invar_data_options options;
    struct invar_embedded rows[2] = {0};
    const struct invar_embed_options how = {.precision = INVAR_PRECISION_FLOAT32};
    invar_options_default(invar_data_option_table, &options);
    snprintf(options.source, sizeof options.source, "csv:%s", file);
    snprintf(options.label, sizeof options.label, "%s", label);
    snprintf(path, sizeof path, "%s/encoder.safetensors", folder);
    struct invar_encoder *encoder = invar_encoder_read(path, err);
    struct invar_device *device = encoder ? invar_device_open("cpu", 0, err) : NULL;
    struct invar_dataset *data = device ? invar_dataset_open_as(&options, encoder->columns.data, err) : NULL;
    const bool ok = data && invar_embed(device, encoder, data, INVAR_TRAIN, &how, &rows[0], err) &&
                    invar_embed(device, encoder, data, INVAR_TEST, &how, &rows[1], err) &&
                    probe(&rows[0], &rows[1], invar_dataset_info(data)->classes, err);
    invar_embedded_free(&rows[0]);
    invar_embedded_free(&rows[1]);
    invar_dataset_close(data);
    invar_device_close(device);
    invar_encoder_free(encoder);
    return ok;
}

int main(int argc, char **argv)
{
    struct invar_error err = {0};
    if (argc != 4) {
        fprintf(stderr, "usage: table FILE.csv LABEL FOLDER\n");
        return 2;
    }
    if (train(argv[1], argv[2], argv[3], &err) && embed(argv[1], argv[2], argv[3], &err))
        return 0;
    fprintf(stderr, "table: %s\n", err.message);
    return 1;
}
