/* SPDX-License-Identifier: Apache-2.0 */
/* A table from a CSV to an encoder, its representations and a linear probe of them: train FILE.csv LABEL FOLDER. */
#include <invar/invar.h>

#include <stdio.h>

static struct invar_matrix matrix_of(const struct invar_array *a)
{
    return (struct invar_matrix){a->dtype, a->shape[0], a->shape[1], a->data};
}

int main(int argc, char **argv)
{
    char source[1024], label[1024];
    const char *const changes[] = {source, label, "training.steps=200", "training.batch=64"};
    const struct invar_embed_options how = {.precision = INVAR_PRECISION_FLOAT32};
    struct invar_error err = {0};
    if (argc != 4)
        return fprintf(stderr, "usage: train FILE.csv LABEL FOLDER\n"), 2;
    snprintf(source, sizeof source, "data.source=csv:%s", argv[1]);
    snprintf(label, sizeof label, "data.label=%s", argv[2]);

    const struct invar_trainer_options where = {.folder = argv[3]};
    struct invar_recipe *recipe = invar_recipe_load("simclr-table", changes, 4, &err);
    struct invar_device *device = recipe ? invar_device_open("cpu", 0, &err) : NULL;
    struct invar_dataset *data = device ? invar_dataset_open(&recipe->data, &err) : NULL;
    struct invar_trainer *trainer = data ? invar_trainer_create(recipe, data, device, &where, &err) : NULL;
    struct invar_encoder *encoder = NULL; /* the trainer's, as it is once training is done */
    struct invar_embedded rows[2] = {0};
    struct invar_probe_options options;
    struct invar_probe_result result = {0};
    invar_options_default(invar_probe_option_table, &options);
    bool ok = trainer && invar_trainer_run(trainer, &err) && invar_trainer_present(trainer, &encoder, NULL, &err);
    ok = ok && invar_embed(device, encoder, data, INVAR_TRAIN, &how, &rows[INVAR_TRAIN], &err) &&
         invar_embed(device, encoder, data, INVAR_TEST, &how, &rows[INVAR_TEST], &err);
    const struct invar_matrix x = matrix_of(&rows[INVAR_TRAIN].features), y = matrix_of(&rows[INVAR_TEST].features);
    if (ok && invar_probe_fit(&x, rows[INVAR_TRAIN].labels.data, &y, rows[INVAR_TEST].labels.data,
                              invar_dataset_info(data)->classes, &options, &result, &err))
        printf("top-1 %.2f %% (%.2f - %.2f)\n", result.test.top1, result.test.low, result.test.high);
    invar_probe_result_free(&result);
    invar_embedded_free(&rows[INVAR_TRAIN]);
    invar_embedded_free(&rows[INVAR_TEST]);
    invar_trainer_free(trainer);
    invar_dataset_close(data);
    invar_device_close(device);
    invar_recipe_free(recipe);
    return err.code ? fprintf(stderr, "train: %s\n", err.message), 1 : 0;
}
