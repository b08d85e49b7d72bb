/* SPDX-License-Identifier: Apache-2.0 */
/* Encoders for programs that know nothing of invar: the table of formats, and what none of them takes. */
#include "export/export.h"
#include "base/names.h"
#include "eval/runner.h"
#include "invar/expert/random.h"

#include <math.h>
#include <string.h>

static const struct invar_export_format formats[] = {
    {"onnx", ".onnx", "for ONNX Runtime and others, standardisation (of tables the meaning of columns) inside",
     export_onnx_write},
    {"safetensors", ".safetensors", "weights alone, under torchvision's and timm's names", export_safetensors_write},
    {"c", ".c", "C without dependencies or allocation, and FILE.h beside it; small encoders", export_c_write},
    {NULL, NULL, NULL, NULL},
};

const struct invar_export_format *invar_export_formats(void)
{
    return formats;
}

static const struct invar_export_format *find_format(const char *name, struct invar_error *err)
{
    return names_find(NAMES_ROWS("format", formats), "format", name, err);
}

static bool ends(const char *path, const char *ending)
{
    const size_t length = strlen(path), size = strlen(ending);

    return length > size && strcmp(path + length - size, ending) == 0;
}

static const struct invar_export_format *guess_format(const char *path, struct invar_error *err)
{
    for (const struct invar_export_format *format = formats; format->name; format++)
        if (ends(path, format->ending))
            return format;
    invar_error_set(err, INVAR_ERROR_USAGE,
                    "%s: ends as no format does: end it with .onnx, .safetensors or .c, or name the format", path);
    return NULL;
}

enum { DRAWN = 16 };

/* Of so many inputs as training had them, standardised: whether all become the same. */
static bool check_outputs(struct runner *runner, struct invar_error *err)
{
    float *views = invar_alloc(DRAWN, (size_t)runner->input_size * sizeof *views, err);
    struct invar_random random = invar_random_stream(0, INVAR_RANDOM_INIT, 0, 0, 0);
    float largest = 0, apart = 0;

    for (int64_t i = 0; views && i < DRAWN * runner->input_size; i++)
        views[i] = invar_random_normal(&random);
    const bool ran = views && runner_run(runner, views, DRAWN, err);
    invar_free(views);
    for (int64_t i = 0; ran && i < DRAWN * runner->h_cols; i++) {
        if (!isfinite(runner->h[i]))
            return invar_error_set(err, INVAR_ERROR_NUMERIC,
                                   "a representation holds NaN or Inf: the weights of the encoder are too large");
        largest = fmaxf(largest, fabsf(runner->h[i]));
        apart = fmaxf(apart, fabsf(runner->h[i] - runner->h[i % runner->h_cols]));
    }
    if (!ran)
        return false;
    return apart > 1e-6F * largest ||
           invar_error_set(err, INVAR_ERROR_NUMERIC,
                           "the encoder has collapsed: it gives every input the same representation, which no program "
                           "can use; an inspection of the run says how it went, and another recipe may not collapse");
}

static bool check_encoder(const struct invar_encoder *encoder, struct invar_error *err)
{
    struct invar_device *device = invar_device_open("auto", 1, err);
    struct runner runner = {0};
    const bool ok = device && runner_open(&runner, device, encoder, NULL, INVAR_PRECISION_FLOAT32, err) &&
                    check_outputs(&runner, err);

    runner_close(&runner);
    invar_device_close(device);
    return ok;
}

bool invar_export(const struct invar_encoder *encoder, const char *format, const char *path, struct invar_error *err)
{
    const struct invar_export_format *found = format ? find_format(format, err) : guess_format(path, err);

    if (!found)
        return false;
    if (!ends(path, found->ending))
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s: expected a file FILE%s for the format %s", path,
                               found->ending, found->name);
    return check_encoder(encoder, err) && found->write(encoder, path, err);
}

bool export_refuse_layer(const struct invar_layer *layer, const char *format, struct invar_error *err)
{
    static const char *const names[] = {[INVAR_LAYER_INPUT] = "input",
                                        [INVAR_LAYER_CONV2D] = "convolution",
                                        [INVAR_LAYER_BATCHNORM] = "batch norm",
                                        [INVAR_LAYER_RELU] = "ReLU",
                                        [INVAR_LAYER_MAXPOOL] = "max pool",
                                        [INVAR_LAYER_AVGPOOL] = "average pool",
                                        [INVAR_LAYER_LINEAR] = "linear",
                                        [INVAR_LAYER_ADD] = "add",
                                        [INVAR_LAYER_FLATTEN] = "flatten",
                                        [INVAR_LAYER_L2NORMALISE] = "l2-normalise",
                                        [INVAR_LAYER_LAYERNORM] = "layer norm",
                                        [INVAR_LAYER_UPSAMPLE] = "upsample",
                                        [INVAR_LAYER_LSTM] = "LSTM",
                                        [INVAR_LAYER_DUEL] = "duel"};

    return invar_error_set(err, INVAR_ERROR_USAGE,
                           "layer %s: a layer of the kind %s cannot be written as %s; safetensors holds the weights of "
                           "any encoder",
                           layer->name, names[layer->kind], format);
}
