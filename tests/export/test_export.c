/* SPDX-License-Identifier: Apache-2.0 */
/* Exported encoders: the graph of an ONNX file, weights under torchvision's names, where C keeps its numbers, and what
 * is refused. tests/cli/export.bats compiles and runs C, tests/peers/onnx_runtime.py runs ONNX. */
#include "test.h"

#include "export/memory_plan.h"
#include "export/onnx.pb-c.h"
#include "folder.h"
#include "invar/export.h"
#include "invar/memory.h"
#include "invar/expert/safetensors.h"

TEST_COVERS("format.onnx format.safetensors format.c");

static const char *path_of(const char *name)
{
    static char path[1024];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static struct invar_encoder *create(const char *text, struct invar_shape input)
{
    struct invar_error err = {0};
    struct invar_node *section = invar_node_parse(text, strlen(text), "test", &err);
    struct invar_encoder *encoder = invar_encoder_create(section, input, 1, &err);

    invar_node_free(section);
    if (!encoder)
        fail_msg("%s", err.message);
    return encoder;
}

static const struct invar_shape small = {3, 3, 12, 10};

/* Every value has been made by an input, a constant or an earlier node before a node takes it. */
static bool is_made(const Invar__Onnx__Graph *graph, size_t before, const char *name)
{
    for (size_t i = 0; i < graph->n_input; i++)
        if (strcmp(graph->input[i]->name, name) == 0)
            return true;
    for (size_t i = 0; i < graph->n_initializer; i++)
        if (strcmp(graph->initializer[i]->name, name) == 0)
            return true;
    for (size_t i = 0; i < before; i++)
        if (strcmp(graph->node[i]->output[0], name) == 0)
            return true;
    return false;
}

static int count_nodes(const Invar__Onnx__Graph *graph, const char *operator)
{
    int count = 0;

    for (size_t i = 0; i < graph->n_node; i++)
        count += strcmp(graph->node[i]->op_type, operator) == 0;
    return count;
}

static Invar__Onnx__Model *export_model(const struct invar_encoder *encoder)
{
    struct invar_error err = {0};
    struct invar_bytes bytes = {0};

    assert_ok(invar_export(encoder, "onnx", path_of("e.onnx"), &err), &err);
    assert_ok(invar_file_read(&bytes, path_of("e.onnx"), 1 << 28, &err), &err);
    Invar__Onnx__Model *model = invar__onnx__model__unpack(NULL, bytes.size, bytes.data);
    invar_bytes_free(&bytes);
    assert_non_null(model);
    for (size_t n = 0; n < model->graph->n_node; n++)
        for (size_t i = 0; i < model->graph->node[n]->n_input; i++)
            if (!is_made(model->graph, n, model->graph->node[n]->input[i]))
                fail_msg("node %s takes %s, which nothing has made", model->graph->node[n]->name,
                         model->graph->node[n]->input[i]);
    return model;
}

static void test_onnx_graph(void **state)
{
    struct invar_encoder *encoder = create("{kind: small-resnet, widths: [3, 5]}", small);
    Invar__Onnx__Model *model = export_model(encoder);
    const Invar__Onnx__Graph *graph = model->graph;

    (void)state;
    assert_int_equal(model->ir_version, 8);
    assert_int_equal(model->n_opset_import, 1);
    assert_int_equal(model->opset_import[0]->version, 17);
    assert_int_equal(count_nodes(graph, "Conv"), 6);
    assert_int_equal(count_nodes(graph, "BatchNormalization"), 6);
    assert_int_equal(count_nodes(graph, "Add"), 2);
    assert_int_equal(count_nodes(graph, "Sub") + count_nodes(graph, "Div"), 2);
    assert_int_equal(graph->n_initializer, (size_t)encoder->net->parameter_count + 2);
    assert_string_equal(graph->input[0]->name, "image");
    assert_string_equal(graph->input[0]->type->tensor_type->shape->dim[0]->name, "N");
    assert_int_equal(graph->input[0]->type->tensor_type->shape->dim[3]->size, 10);
    assert_string_equal(graph->output[0]->name, "representation");
    assert_string_equal(graph->node[graph->n_node - 1]->output[0], "representation");
    for (size_t i = 0; i < graph->n_initializer; i++) {
        const Invar__Onnx__Tensor *tensor = graph->initializer[i];
        size_t size = 4;
        for (size_t k = 0; k < tensor->n_dims; k++)
            size *= (size_t)tensor->dims[k];
        assert_int_equal(tensor->raw_data.len, size);
    }
    invar__onnx__model__free_unpacked(model, NULL);
    invar_encoder_free(encoder);
}

static const char columns[] = "{\"label\": \"kind\", \"classes\": [], \"columns\": ["
                              "{\"name\": \"age\", \"kind\": \"numeric\", \"mean\": 40, \"deviation\": 10, "
                              "\"missing\": true},"
                              "{\"name\": \"same\", \"kind\": \"constant\"},"
                              "{\"name\": \"job\", \"kind\": \"categorical\", \"categories\": [\"clerk\", \"smith\"]},"
                              "{\"name\": \"pay\", \"kind\": \"numeric\", \"mean\": 1, \"deviation\": 2, "
                              "\"missing\": false}]}";

/* 2 + 4 + 1 numbers a row */
static struct invar_encoder *create_table(void)
{
    struct invar_error err = {0};
    struct invar_encoder *encoder = create("{kind: mlp, widths: [8, 4]}", (struct invar_shape){1, 7, 1, 1});

    assert_ok(invar_text_printf(&encoder->columns, &err, "%s", columns), &err);
    return encoder;
}

static void test_onnx_table(void **state)
{
    struct invar_encoder *encoder = create_table();
    Invar__Onnx__Model *model = export_model(encoder);
    const Invar__Onnx__Graph *graph = model->graph;
    static const int64_t order[] = {0, 2, 4, 5, 6, 7, 1};
    struct invar_text says = {0};
    struct invar_error err = {0};

    (void)state;
    assert_int_equal(model->n_opset_import, 2);
    assert_string_equal(model->opset_import[1]->domain, "ai.onnx.ml");
    assert_int_equal(graph->n_input, 2);
    assert_int_equal(count_nodes(graph, "LabelEncoder"), 1);
    for (size_t i = 0; i < graph->n_initializer; i++)
        if (strcmp(graph->initializer[i]->name, "order") == 0)
            assert_memory_equal(graph->initializer[i]->raw_data.data, order, sizeof order);
    assert_ok(invar_export_describe(encoder, &says, &err), &err);
    assert_string_equal(says.data, "numbers float64 [N, 2] (age, pay), categories string [N, 1] (job) -> "
                                   "representation float32 [N, 4]");
    invar_text_free(&says);
    invar__onnx__model__free_unpacked(model, NULL);
    invar_encoder_free(encoder);
}

static void test_safetensors(void **state)
{
    struct invar_error err = {0};
    struct invar_safetensors *file = NULL;
    struct invar_encoder *encoder = create("{kind: resnet18, width: 4}", small), *other;

    (void)state;
    assert_ok(invar_text_printf(&encoder->source, &err, "source: \"cifar10:/home/secret\"\n"), &err);
    assert_ok(invar_export(encoder, "safetensors", path_of("e.safetensors"), &err), &err);
    assert_ok(invar_safetensors_read(&file, path_of("e.safetensors"), &err), &err);
    assert_int_equal(invar_safetensors_count(file), encoder->net->parameter_count);
    assert_non_null(invar_safetensors_get(file, "layer4.1.bn2.running_var"));
    assert_string_equal(invar_safetensors_metadata(file, "format"), "pt");
    assert_string_equal(invar_safetensors_metadata(file, "std"), "[1, 1, 1]");
    assert_string_equal(invar_safetensors_metadata(file, "input_size"), "[3, 12, 10]");
    assert_null(invar_safetensors_metadata(file, "invar.data"));
    invar_safetensors_free(file);
    other = create("{kind: resnet18, width: 4}", small);
    memset(other->parameters, 0, (size_t)other->net->trained_count * sizeof(float));
    assert_ok(invar_encoder_adopt(other, path_of("e.safetensors"), &err), &err);
    assert_memory_equal(other->parameters, encoder->parameters, (size_t)encoder->net->trained_count * sizeof(float));
    invar_encoder_free(other);
    invar_encoder_free(encoder);
}

/* Where two owners share numbers, one is not read any more when the other is made. */
static void check_plan(const struct invar_net *net, const struct memory_plan *plan)
{
    for (int made = 1; made < net->layer_count; made++)
        for (int i = 0; i < made; i++)
            for (int reader = made; reader < net->layer_count; reader++) {
                const struct invar_layer *layer = &net->layers[reader];
                if (layer->input[0] != i && layer->input[1] != i)
                    continue;
                const int a = plan->owner[made], b = plan->owner[i];
                const int64_t at = plan->offset[a], from = plan->offset[b];
                const int64_t to = from + memory_plan_count(net->layers[b].shape);
                if (a == b ? reader != made && plan->owner[made] != made
                           : at >= 0 && from >= 0 && at < to && from < at + memory_plan_count(net->layers[a].shape))
                    fail_msg("layer %d writes over what layer %d made and layer %d reads", made, i, reader);
            }
}

static void test_memory_plan(void **state)
{
    static const char *const kinds[] = {"{kind: resnet50, width: 2}", "{kind: resnet18, width: 2, stem: small}",
                                        "{kind: small-resnet}"};
    struct invar_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (int own = 0; own < 2; own++) {
            struct invar_encoder *encoder = create(kinds[i], (struct invar_shape){3, 3, 40, 36});
            struct memory_plan plan;
            int64_t all = 0;
            assert_ok(memory_plan_open(&plan, encoder->net, own, &err), &err);
            check_plan(encoder->net, &plan);
            for (int k = 0; k < encoder->net->layer_count; k++)
                all += memory_plan_count(encoder->net->layers[k].shape);
            assert_true(plan.size > 0 && plan.size < all / 2);
            memory_plan_close(&plan);
            invar_encoder_free(encoder);
        }
}

static void test_refusals(void **state)
{
    struct invar_error err = {0};
    struct invar_encoder *encoder = create("{kind: small-resnet, widths: [3, 5]}", small);

    (void)state;
    assert_refused(invar_export(encoder, "onyx", path_of("e.onnx"), &err), &err, INVAR_ERROR_USAGE,
                   "did you mean \"onnx\"");
    assert_refused(invar_export(encoder, "onnx", path_of("e.bin"), &err), &err, INVAR_ERROR_USAGE, "FILE.onnx");
    assert_refused(invar_export(encoder, "c", path_of("no/e.c"), &err), &err, INVAR_ERROR_FILE, "no/e.h");
    for (int64_t i = 0; i < encoder->net->trained_count; i++)
        encoder->parameters[i] = 0;
    assert_refused(invar_export(encoder, "onnx", path_of("e.onnx"), &err), &err, INVAR_ERROR_NUMERIC, "collapsed");
    encoder->parameters[5] = NAN;
    assert_refused(invar_export(encoder, "c", path_of("e.c"), &err), &err, INVAR_ERROR_NUMERIC,
                   "the array conv1.weight");
    assert_false(invar_path_exists(path_of("e.onnx")) || invar_path_exists(path_of("e.h")));
    invar_encoder_free(encoder);
    encoder = create("{kind: resnet18}", small);
    assert_refused(invar_export(encoder, "c", path_of("e.c"), &err), &err, INVAR_ERROR_USAGE, "11186112 weights");
    invar_encoder_free(encoder);
}

static void test_layer_without_operator(void **state)
{
    struct invar_error err = {0};
    struct invar_encoder *encoder = create("{kind: mlp, widths: [4]}", (struct invar_shape){1, 7, 1, 1});

    (void)state;
    assert_true(invar_net_layernorm(encoder->net, encoder->net->layer_count - 1, "norm", &err) > 0);
    invar_free(encoder->parameters);
    encoder->parameters = invar_alloc((size_t)encoder->net->trained_count, sizeof(float), &err);
    invar_net_initialise(encoder->net, 1, 0, encoder->parameters, encoder->statistics);
    assert_refused(invar_export(encoder, "onnx", path_of("e.onnx"), &err), &err, INVAR_ERROR_USAGE,
                   "layer norm: a layer of the kind layer norm cannot be written as ONNX");
    assert_refused(invar_export(encoder, "c", path_of("e.c"), &err), &err, INVAR_ERROR_USAGE, "cannot be written as C");
    assert_ok(invar_export(encoder, "safetensors", path_of("e.safetensors"), &err), &err);
    invar_encoder_free(encoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_onnx_graph, setup, teardown),
        cmocka_unit_test_setup_teardown(test_onnx_table, setup, teardown),
        cmocka_unit_test_setup_teardown(test_safetensors, setup, teardown),
        cmocka_unit_test(test_memory_plan),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_layer_without_operator, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
