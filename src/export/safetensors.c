/* SPDX-License-Identifier: Apache-2.0 */
/* Weights under the names that torchvision and timm have, and nothing that tells of the data they were trained on. */
#include "export/export.h"
#include "base/points.h"
#include "invar/version.h"

#include <string.h>

/* "[0.49, 0.48, 0.45]" */
static bool set_channels(struct invar_safetensors *file, const char *key, const float *values, int64_t channels,
                         struct invar_error *err)
{
    NUMBERS_HAVE_POINTS();
    struct invar_text text = {0};
    bool ok = true;

    for (int64_t c = 0; ok && c < channels; c++)
        ok = invar_text_printf(&text, err, "%s%.9g", c ? ", " : "[", (double)values[c]);
    ok = ok && invar_text_printf(&text, err, "]") && invar_safetensors_set_metadata(file, key, text.data, err);
    invar_text_free(&text);
    return ok;
}

static bool set_size(struct invar_safetensors *file, struct invar_shape shape, struct invar_error *err)
{
    char text[80];

    if (shape.rank == 3)
        snprintf(text, sizeof text, "[%lld, %lld, %lld]", (long long)shape.channels, (long long)shape.height,
                 (long long)shape.width);
    else
        snprintf(text, sizeof text, "[%lld]", (long long)shape.channels);
    return invar_safetensors_set_metadata(file, "input_size", text, err);
}

bool export_safetensors_write(const struct invar_encoder *encoder, const char *path, struct invar_error *err)
{
    const struct invar_shape shape = invar_net_input(encoder->net);
    const bool standardised = shape.rank == 3 && shape.channels <= 16;
    struct invar_safetensors *file = invar_safetensors_create(err);
    const bool ok = file && invar_safetensors_set_metadata(file, "format", "pt", err) &&
                    invar_safetensors_set_metadata(file, "producer", "invar " INVAR_VERSION, err) &&
                    invar_safetensors_set_metadata(file, "architecture", encoder->kind, err) &&
                    set_size(file, shape, err) &&
                    (!standardised || (set_channels(file, "mean", encoder->mean, shape.channels, err) &&
                                       set_channels(file, "std", encoder->deviation, shape.channels, err))) &&
                    invar_net_store(encoder->net, encoder->parameters, encoder->statistics, "", file, err) &&
                    invar_safetensors_write(file, path, err);

    invar_safetensors_free(file);
    return ok;
}
