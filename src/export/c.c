/* SPDX-License-Identifier: Apache-2.0 */
/* An encoder as one C file and its header: constants, a few small functions, and a call for every layer. */
#include "export/source.h"
#include "base/points.h"
#include "invar/memory.h"
#include "invar/version.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

/* Text of some 16 bytes a number: what a compiler reads in minutes. */
enum { MOST_NUMBERS = 1 << 22, LINE = 8 };

bool source_say(struct source *s, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    const int length = vsnprintf(NULL, 0, format, list);
    va_end(list);
    char *room = length < 0 ? NULL : invar_alloc((size_t)length + 1, 1, s->err);
    va_start(list, format);
    if (room)
        vsnprintf(room, (size_t)length + 1, format, list);
    va_end(list);
    const bool ok = room && invar_writer_put(s->writer, room, (size_t)length, s->err);
    invar_free(room);
    return ok;
}

bool source_floats(struct source *s, const char *name, int number, const float *values, int64_t count)
{
    bool ok = source_say(s, "static const float %s%d[%lld] = {", name, number, (long long)count);

    for (int64_t i = 0; ok && i < count; i++)
        ok = source_say(s, "%s%.8ef,", i % LINE ? " " : "\n    ", (double)values[i]);
    return ok && source_say(s, "\n};\n");
}

bool source_doubles(struct source *s, const char *name, const double *values, int count)
{
    bool ok = source_say(s, "static const double %s[%d] = {", name, count);

    for (int i = 0; ok && i < count; i++)
        ok = source_say(s, "%s%.16e,", i % LINE ? " " : "\n    ", values[i]);
    return ok && source_say(s, "\n};\n");
}

bool source_text(struct source *s, const char *text)
{
    bool ok = source_say(s, "\"");

    for (; ok && *text; text++) {
        const unsigned char byte = (unsigned char)*text;
        ok = byte < 0x20 || byte >= 0x7f || strchr("\"\\?", byte) ? source_say(s, "\\%03o", byte)
                                                                  : source_say(s, "%c", byte);
    }
    return ok && source_say(s, "\"");
}

/* Names of the file's own: its name, with what no identifier may have as underscores. */
static void set_names(struct source *s, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const size_t length = strlen(name) - 2;
    size_t used = 0;

    if (isdigit((unsigned char)name[0]))
        s->prefix[used++] = '_';
    for (size_t i = 0; i < length && used + 1 < sizeof s->prefix; i++, used++)
        s->prefix[used] = (char)(isalnum((unsigned char)name[i]) && (unsigned char)name[i] < 0x80 ? name[i] : '_');
    for (size_t i = 0; i < used; i++)
        s->upper[i] = (char)toupper((unsigned char)s->prefix[i]);
}

/* What the function takes, as it is declared. */
static bool say_function(struct source *s, const char *end)
{
    const struct export_input *input = &s->input;
    bool ok = source_say(s, "void %s_embed(", s->prefix);

    if (!input->schema)
        ok = ok && source_say(s, "const float *%s, ", input->name);
    if (input->numbers)
        ok = ok && source_say(s, "const double *numbers, ");
    if (input->categories)
        ok = ok && source_say(s, "const char *const *categories, ");
    return ok && source_say(s, "float *representation, float *work)%s\n", end);
}

static bool say_columns(struct source *s, enum invar_column_kind kind, int count, const char *what)
{
    bool ok = !count || source_say(s, " * %s:\n", what);

    for (int k = 0; ok && k < count; k++) {
        char name[200];
        snprintf(name, sizeof name, "%s", export_input_column(&s->input, kind, k)->name);
        for (char *at = name; *at; at++) /* it may not end the comment */
            *at = (unsigned char)*at < 0x20 || *at == '/' ? ' ' : *at;
        ok = source_say(s, " *   %d %s\n", k, name);
    }
    return ok;
}

static bool say_sizes(struct source *s)
{
    const struct export_input *input = &s->input;
    const struct invar_shape shape = input->shape;
    bool ok = true;

    if (shape.rank == 3)
        ok = source_say(s, "#define %s_CHANNELS %lld\n#define %s_HEIGHT %lld\n#define %s_WIDTH %lld\n", s->upper,
                        (long long)shape.channels, s->upper, (long long)shape.height, s->upper, (long long)shape.width);
    else if (!input->schema)
        ok = source_say(s, "#define %s_NUMBERS %lld\n", s->upper, (long long)shape.channels);
    else
        ok = source_say(s, "#define %s_NUMBERS %d\n#define %s_CATEGORIES %d\n", s->upper, input->numbers, s->upper,
                        input->categories);
    return ok && source_say(s, "#define %s_FEATURES %lld /* of a representation */\n#define %s_WORK %lld\n\n", s->upper,
                            (long long)input->features, s->upper, (long long)(s->plan.size > 0 ? s->plan.size : 1));
}

static bool say_header(struct source *s)
{
    const struct export_input *input = &s->input;
    const char *takes =
        input->shape.rank == 3 && strcmp(input->name, "image") == 0 ? "image: [CHANNELS][HEIGHT][WIDTH], values 0 to 1"
        : input->shape.rank == 3 ? "spectrogram: [HEIGHT][WIDTH], the logarithm of mel bands, as invar makes them"
        : input->schema          ? "numbers: NaN where one is missing; categories: NULL or \"\" where one is missing"
                                 : "numbers: as invar makes them";

    return source_say(
               s,
               "/* An encoder (%s) that invar %s exported.\n *\n * %s.\n * representation: [FEATURES].\n * work: "
               "[WORK] numbers, whose content is of no account before and after; two threads need one each.\n",
               s->encoder->kind, INVAR_VERSION, takes) &&
           (!input->schema || (say_columns(s, INVAR_COLUMN_NUMERIC, input->numbers, "numbers") &&
                               say_columns(s, INVAR_COLUMN_CATEGORICAL, input->categories, "categories"))) &&
           source_say(s, " */\n#ifndef %s_H\n#define %s_H\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n", s->upper,
                      s->upper) &&
           say_sizes(s) && say_function(s, ";") && source_say(s, "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}

static bool say_body(struct source *s)
{
    const struct invar_shape shape = s->input.shape;
    bool ok = say_function(s, "") && source_say(s, "{\n");

    if (!s->plan.size)
        ok = ok && source_say(s, "    (void)work;\n");
    if (s->input.schema)
        ok = ok && source_say(s, "    encode(%s%s%s, work + %lld);\n", s->input.numbers ? "numbers" : "",
                              s->input.numbers && s->input.categories ? ", " : "",
                              s->input.categories ? "categories" : "", (long long)s->plan.offset[0]);
    else if (export_standardises(&s->input))
        ok = ok && source_say(s, "    standardise(%s, work + %lld, %lld, %lld);\n", s->input.name,
                              (long long)s->plan.offset[0], (long long)shape.channels,
                              (long long)(shape.height * shape.width));
    return ok && source_calls(s) && source_say(s, "}\n");
}

static bool say_standardise(struct source *s)
{
    if (!export_standardises(&s->input))
        return true;
    return source_floats(s, "mean", 0, s->encoder->mean, s->input.shape.channels) &&
           source_floats(s, "deviation", 0, s->encoder->deviation, s->input.shape.channels) &&
           source_say(s, "\nstatic void standardise(const float *in, float *out, int channels, int size)\n{\n"
                         "    for (int c = 0; c < channels; c++)\n        for (int i = 0; i < size; i++)\n"
                         "            out[c * size + i] = (in[c * size + i] - mean0[c]) / deviation0[c];\n}\n");
}

static bool say_source(struct source *s)
{
    const char *name = s->prefix;

    return source_say(s, "/* An encoder (%s) that invar %s exported. */\n#include \"%s.h\"\n\n%s", s->encoder->kind,
                      INVAR_VERSION, name, s->input.categories ? "#include <string.h>\n\n" : "") &&
           source_weights(s) && (s->input.schema ? source_table(s) : say_standardise(s)) && source_functions(s) &&
           source_say(s, "\n") && say_body(s);
}

/* One file, whole or not at all. */
static bool write_file(struct source *s, const char *path, bool (*say)(struct source *s))
{
    s->writer = invar_writer_open(path, s->err);
    const bool ok = s->writer && say(s) && invar_writer_commit(s->writer, s->err);

    invar_writer_close(s->writer);
    return ok;
}

static bool check(struct source *s, struct invar_error *err)
{
    const struct invar_net *net = s->encoder->net;

    if (net->trained_count + net->statistic_count > MOST_NUMBERS)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "the encoder has %lld weights, and C is for small ones, of up to %d: export onnx",
                               (long long)(net->trained_count + net->statistic_count), MOST_NUMBERS);
    for (int i = 1; i < net->layer_count; i++) {
        const struct invar_layer *layer = &net->layers[i], *before = &net->layers[layer->input[0]];
        const bool folds = before->kind == INVAR_LAYER_CONV2D || before->kind == INVAR_LAYER_LINEAR;
        if (layer->kind > INVAR_LAYER_FLATTEN || (layer->kind == INVAR_LAYER_BATCHNORM && !folds))
            return export_refuse_layer(layer, "C", err);
        s->used[layer->kind] = true;
    }
    return true;
}

bool export_c_write(const struct invar_encoder *encoder, const char *path, struct invar_error *err)
{
    NUMBERS_HAVE_POINTS();
    struct source s = {.encoder = encoder, .err = err};
    char *header = invar_strdup(path, err);
    bool ok = header && check(&s, err) && export_input_open(&s.input, encoder, err);

    ok = ok && memory_plan_open(&s.plan, encoder->net, s.input.schema || export_standardises(&s.input), err);
    if (ok) {
        set_names(&s, path);
        header[strlen(header) - 1] = 'h';
        ok = write_file(&s, header, say_header) && write_file(&s, path, say_source);
    }
    memory_plan_close(&s.plan);
    export_input_close(&s.input);
    invar_free(header);
    return ok;
}
