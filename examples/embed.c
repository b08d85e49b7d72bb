/* SPDX-License-Identifier: Apache-2.0 */
/* Representations of data by an encoder that was trained before: embed ENCODER.safetensors SOURCE OUT.npy, where SOURCE
   is what data.source of a recipe may be: images:FOLDER, csv:FILE.csv, audio:FOLDER, ... */
#include <invar/invar.h>

#include <stdio.h>

/* What the data are called and how they are read; all else is as the encoder was trained. */
static bool embed(const char *path, const char *source, const char *out, struct invar_error *err)
{
    const struct invar_embed_options how = {.precision = INVAR_PRECISION_FLOAT32};
    struct invar_data_options options;
    struct invar_embedded rows = {0};
    struct invar_encoder *encoder = invar_encoder_read(path, err);
    struct invar_node *section =
        encoder ? invar_node_parse(encoder->source.data, encoder->source.size, path, err) : NULL;
    bool ok = section != NULL;
    struct invar_dataset *data = NULL;
    struct invar_device *device = NULL;

    invar_options_default(invar_data_option_table, &options);
    ok = ok && invar_options_read(invar_data_option_table, &options, section, "data", NULL, err);
    ok = ok && invar_data_options_source(&options, source, err);
    if (ok) {
        options.test_fraction = 0; /* all rows are asked for below */
        data = invar_dataset_open_as(&options, encoder->columns.data, err);
        device = data ? invar_device_open("cpu", 0, err) : NULL;
    }
    ok = device && invar_embed(device, encoder, data, INVAR_TRAIN, &how, &rows, err) &&
         invar_npy_write(&rows.features, out, err);
    if (ok)
        printf("%s: %lld rows of %lld numbers\n", out, (long long)rows.features.shape[0],
               (long long)rows.features.shape[1]);
    invar_embedded_free(&rows);
    invar_device_close(device);
    invar_dataset_close(data);
    invar_node_free(section);
    invar_encoder_free(encoder);
    return ok;
}

int main(int argc, char **argv)
{
    struct invar_error err = {0};

    if (argc != 4) {
        fprintf(stderr, "usage: embed ENCODER.safetensors SOURCE OUT.npy\n");
        return 2;
    }
    if (embed(argv[1], argv[2], argv[3], &err))
        return 0;
    fprintf(stderr, "embed: %s\n", err.message);
    return 1;
}
