/* SPDX-License-Identifier: Apache-2.0 */
/* An ONNX model as protobuf messages in memory, and into a file without a copy of the weights. */
#include "export/onnx_graph.h"
#include "export/onnx.pb-c.h"
#include "invar/expert/file.h"
#include "invar/memory.h"
#include "invar/version.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TYPE_REAL = 1, TYPE_INTEGER = 2, TYPE_INTEGERS = 7, TYPE_TEXTS = 8, IR_VERSION = 8, OPSET = 17, TEXT_OPSET = 3 };

struct onnx {
    struct invar_scratch *scratch;
    Invar__Onnx__Model model;
    Invar__Onnx__Graph graph;
    Invar__Onnx__Operators operators[2], *operator_list[2]; /* ONNX's own, and those for texts */
    size_t node_capacity, tensor_capacity, value_capacity, entry_capacity;
    struct invar_error *err;
    bool failed;
};

struct onnx_node {
    Invar__Onnx__Node message;
};

void *onnx_take(struct onnx *onnx, size_t count, size_t size)
{
    void *memory = onnx->failed ? NULL : invar_scratch_take(onnx->scratch, count, size, onnx->err);

    onnx->failed = !memory;
    return memory ? memset(memory, 0, count * size) : NULL;
}

/* Appends to an array of pointers, whose old copies stay in the scratch. */
static bool append(struct onnx *onnx, void ***list, size_t *count, size_t *capacity, void *item)
{
    if (item && *count == *capacity) {
        void **larger = onnx_take(onnx, *capacity = *capacity ? *capacity * 2 : 16, sizeof *larger);
        if (larger && *count)
            memcpy(larger, *list, *count * sizeof *larger);
        *list = larger;
    }
    if (!item || onnx->failed)
        return false;
    (*list)[(*count)++] = item;
    return true;
}

#define APPEND(onnx, message, field, capacity, item)                                                                   \
    do {                                                                                                               \
        void **list_ = (void **)(message)->field;                                                                      \
        append(onnx, &list_, &(message)->n_##field, capacity, item);                                                   \
        (message)->field = (void *)list_;                                                                              \
    } while (0)

char *onnx_text(struct onnx *onnx, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    const int length = vsnprintf(NULL, 0, format, list);
    va_end(list);
    char *text = onnx_take(onnx, (size_t)(length < 0 ? 0 : length) + 1, 1);
    va_start(list, format);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, list);
    va_end(list);
    return text;
}

struct onnx *onnx_create(const char *name, struct invar_error *err)
{
    struct onnx *onnx = invar_alloc(1, sizeof *onnx, err);

    if (!onnx)
        return NULL;
    onnx->err = err;
    onnx->scratch = invar_scratch_create(err);
    onnx->failed = !onnx->scratch;
    invar__onnx__model__init(&onnx->model);
    invar__onnx__graph__init(&onnx->graph);
    for (int i = 0; i < 2; i++) {
        invar__onnx__operators__init(&onnx->operators[i]);
        onnx->operator_list[i] = &onnx->operators[i];
    }
    onnx->operators[0].version = OPSET;
    onnx->operators[1].version = TEXT_OPSET;
    onnx->operators[1].domain = onnx_text(onnx, "ai.onnx.ml");
    onnx->model.ir_version = IR_VERSION;
    onnx->model.producer_name = onnx_text(onnx, "invar");
    onnx->model.producer_version = onnx_text(onnx, "%s", INVAR_VERSION);
    onnx->model.graph = &onnx->graph;
    onnx->model.opset_import = onnx->operator_list;
    onnx->model.n_opset_import = 1;
    onnx->graph.name = onnx_text(onnx, "%s", name);
    return onnx;
}

void onnx_free(struct onnx *onnx)
{
    if (onnx)
        invar_scratch_free(onnx->scratch);
    invar_free(onnx);
}

static Invar__Onnx__Shape *make_shape(struct onnx *onnx, int rank, const int64_t *shape)
{
    Invar__Onnx__Shape *made = onnx_take(onnx, 1, sizeof *made);
    Invar__Onnx__Dimension *dimensions = onnx_take(onnx, (size_t)rank, sizeof *dimensions);
    Invar__Onnx__Dimension **list = onnx_take(onnx, (size_t)rank, sizeof *list);

    if (!list)
        return NULL;
    for (int i = 0; i < rank; i++) {
        invar__onnx__dimension__init(list[i] = &dimensions[i]);
        dimensions[i].value_case = i ? INVAR__ONNX__DIMENSION__VALUE_SIZE : INVAR__ONNX__DIMENSION__VALUE_NAME;
        if (i)
            dimensions[i].size = shape[i];
        else
            dimensions[i].name = onnx_text(onnx, "N");
    }
    invar__onnx__shape__init(made);
    made->dim = list;
    made->n_dim = (size_t)rank;
    return made;
}

const char *onnx_value(struct onnx *onnx, bool output, const char *name, enum onnx_type type, int rank,
                       const int64_t *shape)
{
    struct {
        Invar__Onnx__Value value;
        Invar__Onnx__Type type;
        Invar__Onnx__TensorType tensor;
    } *made = onnx_take(onnx, 1, sizeof *made);

    if (!made)
        return name;
    invar__onnx__value__init(&made->value);
    invar__onnx__type__init(&made->type);
    invar__onnx__tensor_type__init(&made->tensor);
    made->value.name = onnx_text(onnx, "%s", name);
    made->value.type = &made->type;
    made->type.tensor_type = &made->tensor;
    made->tensor.elem_type = (int32_t)type;
    made->tensor.shape = make_shape(onnx, rank, shape);
    size_t capacity = onnx->graph.n_output; /* there is one output */
    if (output)
        APPEND(onnx, &onnx->graph, output, &capacity, &made->value);
    else
        APPEND(onnx, &onnx->graph, input, &onnx->value_capacity, &made->value);
    return name;
}

const char *onnx_constant(struct onnx *onnx, const char *name, enum onnx_type type, int rank, const int64_t *shape,
                          const void *numbers)
{
    Invar__Onnx__Tensor *tensor = onnx_take(onnx, 1, sizeof *tensor);
    int64_t *dims = onnx_take(onnx, (size_t)rank + 1, sizeof *dims);
    size_t size = type == ONNX_FLOAT32 ? sizeof(float) : sizeof(double);
    union {
        const void *in;
        void *out;
    } cast = {numbers}; /* protobuf-c has no const; it only reads */

    if (!dims)
        return name;
    invar__onnx__tensor__init(tensor);
    for (int i = 0; i < rank; i++)
        size *= (size_t)(dims[i] = shape[i]);
    tensor->n_dims = (size_t)rank;
    tensor->dims = dims;
    tensor->data_type = (int32_t)type;
    tensor->name = onnx_text(onnx, "%s", name);
    tensor->raw_data = (ProtobufCBinaryData){size, cast.out};
    APPEND(onnx, &onnx->graph, initializer, &onnx->tensor_capacity, tensor);
    return name;
}

struct onnx_node *onnx_node(struct onnx *onnx, const char *operator, const char * output, const char *const *inputs)
{
    struct onnx_node *node = onnx_take(onnx, 1, sizeof *node);
    size_t count = 0;

    while (inputs[count])
        count++;
    char **names = onnx_take(onnx, count + 1, sizeof *names);
    if (!names)
        return NULL;
    invar__onnx__node__init(&node->message);
    for (size_t i = 0; i < count; i++)
        names[i] = onnx_text(onnx, "%s", inputs[i]);
    names[count] = node->message.name = onnx_text(onnx, "%s", output);
    node->message.input = names;
    node->message.n_input = count;
    node->message.output = &names[count];
    node->message.n_output = 1;
    node->message.op_type = onnx_text(onnx, "%s", operator);
    APPEND(onnx, &onnx->graph, node, &onnx->node_capacity, &node->message);
    return onnx->failed ? NULL : node;
}

static Invar__Onnx__Attribute *add_attribute(struct onnx *onnx, struct onnx_node *node, const char *name, int type)
{
    Invar__Onnx__Attribute *attribute = node ? onnx_take(onnx, 1, sizeof *attribute) : NULL;
    size_t capacity = node ? node->message.n_attribute : 0; /* full, as there are few */

    if (!attribute)
        return NULL;
    invar__onnx__attribute__init(attribute);
    attribute->name = onnx_text(onnx, "%s", name);
    attribute->type = type;
    APPEND(onnx, &node->message, attribute, &capacity, attribute);
    return onnx->failed ? NULL : attribute;
}

void onnx_integers(struct onnx *onnx, struct onnx_node *node, const char *name, int count, const int64_t *values)
{
    Invar__Onnx__Attribute *attribute = add_attribute(onnx, node, name, TYPE_INTEGERS);
    int64_t *copy = attribute ? onnx_take(onnx, (size_t)count, sizeof *copy) : NULL;

    if (!copy)
        return;
    attribute->ints = memcpy(copy, values, (size_t)count * sizeof *copy);
    attribute->n_ints = (size_t)count;
}

void onnx_integer(struct onnx *onnx, struct onnx_node *node, const char *name, int64_t value)
{
    Invar__Onnx__Attribute *attribute = add_attribute(onnx, node, name, TYPE_INTEGER);

    if (attribute)
        attribute->i = value;
}

void onnx_real(struct onnx *onnx, struct onnx_node *node, const char *name, float value)
{
    Invar__Onnx__Attribute *attribute = add_attribute(onnx, node, name, TYPE_REAL);

    if (attribute)
        attribute->f = value;
}

void onnx_texts(struct onnx *onnx, struct onnx_node *node, const char *name, int count, char *const *texts)
{
    Invar__Onnx__Attribute *attribute = add_attribute(onnx, node, name, TYPE_TEXTS);
    ProtobufCBinaryData *list = attribute ? onnx_take(onnx, (size_t)count + 1, sizeof *list) : NULL;

    for (int i = 0; list && i < count; i++)
        list[i] = (ProtobufCBinaryData){strlen(texts[i]), (uint8_t *)texts[i]};
    if (!list)
        return;
    attribute->strings = list;
    attribute->n_strings = (size_t)count;
}

void onnx_of_texts(struct onnx *onnx, struct onnx_node *node)
{
    if (node)
        node->message.domain = onnx->operators[1].domain;
    onnx->model.n_opset_import = 2;
}

void onnx_metadata(struct onnx *onnx, const char *key, const char *value)
{
    Invar__Onnx__Entry *entry = onnx_take(onnx, 1, sizeof *entry);

    if (entry && !value)
        onnx->failed = !invar_error_set(onnx->err, INVAR_ERROR_MEMORY, "there is not enough memory for an ONNX model");
    if (!entry || !value)
        return;
    invar__onnx__entry__init(entry);
    entry->key = onnx_text(onnx, "%s", key);
    entry->value = onnx_text(onnx, "%s", value);
    APPEND(onnx, &onnx->model, metadata_props, &onnx->entry_capacity, entry);
}

struct sink {
    ProtobufCBuffer buffer;
    struct invar_writer *writer;
    struct invar_error *err;
    bool ok;
};

static void put(ProtobufCBuffer *buffer, size_t size, const uint8_t *data)
{
    struct sink *sink = (struct sink *)buffer;

    sink->ok = sink->ok && invar_writer_put(sink->writer, data, size, sink->err);
}

bool onnx_write(struct onnx *onnx, const char *path, struct invar_error *err)
{
    const size_t size = onnx->failed ? 0 : invar__onnx__model__get_packed_size(&onnx->model);

    if (onnx->failed)
        return false;
    if (size >= (size_t)1 << 31)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: would be %zu bytes long, and an ONNX file is less than 2 GiB: export safetensors",
                               path, size);
    struct sink sink = {.buffer = {put}, .writer = invar_writer_open(path, err), .err = err, .ok = true};
    if (sink.writer)
        invar__onnx__model__pack_to_buffer(&onnx->model, &sink.buffer);
    const bool ok = sink.writer && sink.ok && invar_writer_commit(sink.writer, err);
    invar_writer_close(sink.writer);
    return ok;
}
