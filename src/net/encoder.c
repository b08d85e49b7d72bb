/* SPDX-License-Identifier: Apache-2.0 */
/* The table of encoders, and encoder.safetensors: weights under torchvision names with all that is needed to use them.
 */
#include "net/encoder.h"
#include "invar/encoder.h"
#include "invar/memory.h"
#include "invar/version.h"
#include "base/names.h"
#include "base/points.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTED(name) &invar_encoder_##name,
static const struct invar_encoder_spec *const encoders[] = {INVAR_ENCODERS(LISTED) NULL};

const struct invar_encoder_spec *const *invar_encoder_list(void)
{
    return encoders;
}

const struct invar_encoder_spec *invar_encoder_find(const char *name, struct invar_error *err)
{
    return names_find(NAMES_POINTERS("encoder", encoders), "encoder.kind", name, err);
}

void invar_encoder_free(struct invar_encoder *encoder)
{
    if (!encoder)
        return;
    invar_net_free(encoder->net);
    invar_free(encoder->parameters);
    invar_free(encoder->statistics);
    invar_text_free(&encoder->options);
    invar_text_free(&encoder->source);
    invar_text_free(&encoder->columns);
    invar_text_free(&encoder->identity);
    invar_text_free(&encoder->machine);
    invar_free(encoder);
}

/* Without net; mean 0 and deviation 1. */
static struct invar_encoder *encoder_empty(struct invar_error *err)
{
    struct invar_encoder *encoder = invar_alloc(1, sizeof *encoder, err);
    for (int i = 0; encoder && i < 16; i++)
        encoder->deviation[i] = 1.0f;
    return encoder;
}

/* Net, vectors and resolved options text from a section whose kind is known. */
static bool encoder_build(struct invar_encoder *encoder, const struct invar_node *section, struct invar_shape input,
                          struct invar_error *err)
{
    static const char *const ignored[] = {"kind", NULL};
    const struct invar_encoder_spec *spec = invar_encoder_find(encoder->kind, err);
    void *options = spec ? invar_alloc(1, spec->options_size, err) : NULL;
    bool ok = false;
    if (!options)
        return false;
    invar_options_default(spec->options, options);
    if (section && !invar_options_read(spec->options, options, section, "encoder", ignored, err))
        goto done;
    encoder->net = spec->build(options, input, err);
    if (!encoder->net || !invar_options_write(spec->options, options, 0, &encoder->options, err))
        goto done;
    encoder->parameters = invar_alloc((size_t)encoder->net->trained_count, sizeof(float), err);
    encoder->statistics = invar_alloc((size_t)encoder->net->statistic_count + 1, sizeof(float), err);
    ok = encoder->parameters && encoder->statistics;
done:
    invar_free(options);
    return ok;
}

struct invar_encoder *invar_encoder_create(const struct invar_node *section, struct invar_shape input, uint64_t seed,
                                           struct invar_error *err)
{
    const struct invar_node *kind = invar_node_get(section, "kind");
    const char *name = kind ? invar_node_text(kind) : NULL;
    if (!name) {
        invar_error_set(err, INVAR_ERROR_USAGE, "encoder.kind: expected the name of an encoder, such as resnet18");
        return NULL;
    }
    struct invar_encoder *encoder = encoder_empty(err);
    if (!encoder)
        return NULL;
    snprintf(encoder->kind, sizeof encoder->kind, "%s", name);
    if (!encoder_build(encoder, section, input, err)) {
        invar_encoder_free(encoder);
        return NULL;
    }
    invar_net_initialise(encoder->net, seed, 0, encoder->parameters, encoder->statistics);
    return encoder;
}

static struct invar_array parameter_array(const struct invar_parameter *parameter, const float *parameters,
                                          const float *statistics)
{
    const float *base = parameter->role == INVAR_PARAMETER_STATISTIC ? statistics : parameters;
    struct invar_array array = {.dtype = INVAR_FLOAT32, .rank = parameter->rank};
    for (int i = 0; i < parameter->rank; i++)
        array.shape[i] = parameter->shape[i];
    union {
        const float *in;
        void *out;
    } cast = {base + parameter->offset}; /* arrays carry no const; whoever gets this one only reads */
    array.data = cast.out;
    return array;
}

bool invar_net_store(const struct invar_net *net, const float *parameters, const float *statistics, const char *prefix,
                     struct invar_safetensors *file, struct invar_error *err)
{
    for (int i = 0; i < net->parameter_count; i++) {
        struct invar_array array = parameter_array(&net->parameters[i], parameters, statistics);
        char name[256];
        snprintf(name, sizeof name, "%s%s", prefix, net->parameters[i].name);
        if (!invar_safetensors_add(file, name, &array, err))
            return false;
    }
    return true;
}

/* "float32 [64, 3, 7, 7]" */
static void describe(char *out, size_t size, enum invar_dtype dtype, int rank, const int64_t *shape)
{
    size_t used = (size_t)snprintf(out, size, "%s [", invar_dtype_name(dtype));
    for (int i = 0; i < rank && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, i ? ", %lld" : "%lld", (long long)shape[i]);
    if (used < size)
        snprintf(out + used, size - used, "]");
}

/* The array of one parameter, or NULL with err set where it is missing or is not what the net has. */
static const struct invar_array *parameter_find(const struct invar_parameter *parameter, const char *prefix,
                                                const struct invar_safetensors *file, const char *path,
                                                struct invar_error *err)
{
    char name[256], found[160], wanted[160];
    snprintf(name, sizeof name, "%s%s", prefix, parameter->name);
    const struct invar_array *array = invar_safetensors_get(file, name);
    if (!array) {
        invar_error_set(err, INVAR_ERROR_FORMAT,
                        "%s: has no array \"%s\"; the weights belong to another net: check the encoder's kind", path,
                        name);
        return NULL;
    }
    bool same = array->dtype == INVAR_FLOAT32 && array->rank == parameter->rank;
    for (int k = 0; same && k < parameter->rank; k++)
        same = array->shape[k] == parameter->shape[k];
    if (same)
        return array;
    describe(found, sizeof found, array->dtype, array->rank, array->shape);
    describe(wanted, sizeof wanted, INVAR_FLOAT32, parameter->rank, parameter->shape);
    invar_error_set(err, INVAR_ERROR_FORMAT,
                    "%s: array \"%s\" is %s, and this net has %s; check the encoder's kind, stem, width and input "
                    "channels",
                    path, name, found, wanted);
    return NULL;
}

bool invar_net_restore(const struct invar_net *net, float *parameters, float *statistics, const char *prefix,
                       const struct invar_safetensors *file, const char *path, struct invar_error *err)
{
    for (int i = 0; i < net->parameter_count; i++)
        if (!parameter_find(&net->parameters[i], prefix, file, path, err))
            return false;
    for (int i = 0; parameters && i < net->parameter_count; i++) {
        const struct invar_parameter *parameter = &net->parameters[i];
        const struct invar_array *array = parameter_find(parameter, prefix, file, path, err);
        float *base = parameter->role == INVAR_PARAMETER_STATISTIC ? statistics : parameters;
        memcpy(base + parameter->offset, array->data, (size_t)parameter->count * sizeof(float));
    }
    return true;
}

/* "0.25 0.5 0.75": one number a channel, with enough digits to read back the same float. */
static bool write_channels(struct invar_safetensors *file, const char *key, const float *values, int64_t channels,
                           struct invar_error *err)
{
    NUMBERS_HAVE_POINTS();
    struct invar_text text = {0};
    bool ok = true;
    for (int64_t i = 0; ok && i < channels; i++)
        ok = invar_text_printf(&text, err, i ? " %.9g" : "%.9g", (double)values[i]);
    ok = ok && invar_safetensors_set_metadata(file, key, text.data, err);
    invar_text_free(&text);
    return ok;
}

/* How many channels have a mean and a deviation of their own. */
static int64_t channel_count(struct invar_shape shape)
{
    return shape.rank == 3 && shape.channels <= 16 ? shape.channels : 1;
}

static bool write_metadata(const struct invar_encoder *encoder, struct invar_safetensors *file, struct invar_error *err)
{
    struct invar_shape shape = invar_net_input(encoder->net);
    char input[96], steps[32];
    snprintf(steps, sizeof steps, "%lld", (long long)encoder->steps);
    snprintf(input, sizeof input, "%d %lld %lld %lld", shape.rank, (long long)shape.channels, (long long)shape.height,
             (long long)shape.width);
    int64_t channels = channel_count(shape);
    const char *options = encoder->options.data ? encoder->options.data : "";
    const char *source = encoder->source.data ? encoder->source.data : "";
    return invar_safetensors_set_metadata(file, "invar.version", INVAR_VERSION, err) &&
           invar_safetensors_set_metadata(file, "invar.kind", encoder->kind, err) &&
           invar_safetensors_set_metadata(file, "invar.options", options, err) &&
           invar_safetensors_set_metadata(file, "invar.input", input, err) &&
           invar_safetensors_set_metadata(file, "invar.recipe", encoder->recipe, err) &&
           (encoder->steps <= 0 || invar_safetensors_set_metadata(file, "invar.steps", steps, err)) &&
           invar_safetensors_set_metadata(file, "invar.data", source, err) &&
           (!encoder->data_kind[0] ||
            invar_safetensors_set_metadata(file, "invar.data_kind", encoder->data_kind, err)) &&
           (!encoder->columns.data ||
            invar_safetensors_set_metadata(file, "invar.columns", encoder->columns.data, err)) &&
           (!encoder->identity.data ||
            invar_safetensors_set_metadata(file, "invar.identity", encoder->identity.data, err)) &&
           (!encoder->machine.data ||
            invar_safetensors_set_metadata(file, "invar.machine", encoder->machine.data, err)) &&
           write_channels(file, "invar.mean", encoder->mean, channels, err) &&
           write_channels(file, "invar.deviation", encoder->deviation, channels, err);
}

bool invar_encoder_write(const struct invar_encoder *encoder, const char *path, struct invar_error *err)
{
    struct invar_safetensors *file = invar_safetensors_create(err);
    bool ok = file && write_metadata(encoder, file, err) &&
              invar_net_store(encoder->net, encoder->parameters, encoder->statistics, "", file, err) &&
              invar_safetensors_write(file, path, err);
    invar_safetensors_free(file);
    return ok;
}

static const char *required(const struct invar_safetensors *file, const char *key, const char *path,
                            struct invar_error *err)
{
    const char *value = invar_safetensors_metadata(file, key);
    if (!value)
        invar_error_set(err, INVAR_ERROR_FORMAT,
                        "%s: has no metadata \"%s\"; expected an encoder that invar wrote (bring other weights in with "
                        "init=FILE of a recipe)",
                        path, key);
    return value;
}

static bool read_channels(const char *key, const char *text, int64_t count, float minimum, float *out, const char *path,
                          struct invar_error *err)
{
    NUMBERS_HAVE_POINTS();
    const char *at = text;
    bool ok = true;
    for (int64_t i = 0; ok && i < count; i++) {
        char *end = NULL;
        out[i] = strtof(at, &end);
        ok = end != at && out[i] >= minimum && out[i] < 1e30f;
        at = end;
    }
    return (ok && !*at) ||
           invar_error_set(err, INVAR_ERROR_FORMAT,
                           "%s: metadata %s is \"%.100s\", expected %lld number%s, one a channel%s", path, key, text,
                           (long long)count, count == 1 ? "" : "s", minimum < 0.0f ? "" : ", not below 0");
}

static bool read_input(const char *text, struct invar_shape *shape, const char *path, struct invar_error *err)
{
    long long channels = 0, height = 0, width = 0;
    int rank = 0, used = 0;
    if (sscanf(text, "%d %lld %lld %lld%n", &rank, &channels, &height, &width, &used) != 4 || text[used] ||
        (rank != 1 && rank != 3))
        return invar_error_set(
            err, INVAR_ERROR_FORMAT,
            "%s: metadata invar.input is \"%.100s\", expected rank (1 or 3), channels, height, width", path, text);
    *shape = (struct invar_shape){rank, channels, height, width};
    return true;
}

static bool read_metadata(struct invar_encoder *encoder, const struct invar_safetensors *file, const char *path,
                          struct invar_error *err)
{
    const char *kind = required(file, "invar.kind", path, err);
    const char *options = required(file, "invar.options", path, err);
    const char *input = required(file, "invar.input", path, err);
    const char *mean = required(file, "invar.mean", path, err);
    const char *deviation = required(file, "invar.deviation", path, err);
    const char *data = required(file, "invar.data", path, err);
    const char *recipe = invar_safetensors_metadata(file, "invar.recipe");
    const char *columns = invar_safetensors_metadata(file, "invar.columns");
    const char *data_kind = invar_safetensors_metadata(file, "invar.data_kind");
    const char *identity = invar_safetensors_metadata(file, "invar.identity");
    const char *machine = invar_safetensors_metadata(file, "invar.machine");
    const char *steps = invar_safetensors_metadata(file, "invar.steps");
    struct invar_shape shape;
    struct invar_node *section = NULL;
    struct invar_error problem = {0};
    if (!kind || !options || !input || !mean || !deviation || !data)
        return false;
    snprintf(encoder->kind, sizeof encoder->kind, "%s", kind);
    snprintf(encoder->recipe, sizeof encoder->recipe, "%s", recipe ? recipe : "");
    snprintf(encoder->data_kind, sizeof encoder->data_kind, "%s", data_kind ? data_kind : "");
    encoder->steps = steps ? strtoll(steps, NULL, 10) : 0;
    bool ok = read_input(input, &shape, path, err) &&
              read_channels("invar.mean", mean, channel_count(shape), -1e30f, encoder->mean, path, err) &&
              read_channels("invar.deviation", deviation, channel_count(shape), 0.0f, encoder->deviation, path, err) &&
              invar_text_printf(&encoder->source, err, "%s", data) &&
              (!identity || invar_text_printf(&encoder->identity, err, "%s", identity)) &&
              (!machine || invar_text_printf(&encoder->machine, err, "%s", machine)) &&
              (!columns || invar_text_printf(&encoder->columns, err, "%s", columns));
    if (!ok)
        return false;
    if (options[0])
        section = invar_node_parse(options, strlen(options), "invar.options", &problem);
    ok = (section || !options[0]) && encoder_build(encoder, section, shape, &problem);
    invar_node_free(section);
    return ok ||
           invar_error_set(err, problem.code == INVAR_ERROR_MEMORY ? problem.code : INVAR_ERROR_FORMAT,
                           "%s: the encoder that its metadata describe cannot be built: %s", path, problem.message);
}

struct invar_encoder *invar_encoder_read(const char *path, struct invar_error *err)
{
    struct invar_safetensors *file = NULL;
    struct invar_encoder *encoder = NULL;
    bool ok = false;
    if (!invar_safetensors_read(&file, path, err))
        goto done;
    encoder = encoder_empty(err);
    if (!encoder)
        goto done;
    ok = read_metadata(encoder, file, path, err) &&
         invar_net_restore(encoder->net, encoder->parameters, encoder->statistics, "", file, path, err);
done:
    invar_safetensors_free(file);
    if (!ok) {
        invar_encoder_free(encoder);
        encoder = NULL;
    }
    return encoder;
}
