/* SPDX-License-Identifier: Apache-2.0 */
/* projector.safetensors: written and read back, and refused where something is wrong. */
#include "test.h"

#include "invar/encoder.h"
#include "invar/memory.h"

enum { WIDTH = 12 };

static const struct invar_head_options plain = {.output = 5, .last_bias = true};
static const struct invar_head_options deep = {
    .hidden = {2, {9, 7}}, .output = 4, .batchnorm = true, .last_batchnorm = true};

static struct invar_head *head_create(const struct invar_head_options *options)
{
    struct invar_error err = {0};
    struct invar_head *head = invar_alloc(1, sizeof *head, &err);
    assert_ok(head, &err);
    head->options = *options;
    head->net = invar_head_build(options, WIDTH, &err);
    assert_ok(head->net, &err);
    head->parameters = invar_alloc((size_t)head->net->trained_count, sizeof(float), &err);
    head->statistics = invar_alloc((size_t)head->net->statistic_count + 1, sizeof(float), &err);
    invar_net_initialise(head->net, 3, 1, head->parameters, head->statistics);
    for (int64_t i = 0; i < head->net->statistic_count; i++)
        head->statistics[i] += (float)i;
    snprintf(head->recipe, sizeof head->recipe, "some recipe");
    return head;
}

static void check_round_trip(const struct invar_head_options *options)
{
    struct invar_error err = {0};
    char *folder = test_folder_create();
    const char *path = test_path(folder, "projector.safetensors");
    struct invar_head *written = head_create(options);
    assert_ok(invar_head_write(written, path, &err), &err);
    struct invar_head *read = invar_head_read(path, &err);
    assert_ok(read, &err);
    assert_int_equal(invar_net_input(read->net).channels, WIDTH);
    assert_int_equal(invar_net_output(read->net).channels, options->output);
    assert_int_equal(read->net->parameter_count, written->net->parameter_count);
    assert_memory_equal(read->parameters, written->parameters, (size_t)written->net->trained_count * sizeof(float));
    assert_memory_equal(read->statistics, written->statistics, (size_t)written->net->statistic_count * sizeof(float));
    assert_string_equal(read->recipe, "some recipe");
    invar_head_free(read);
    invar_head_free(written);
    test_folder_remove(folder);
}

static void test_round_trip(void **state)
{
    (void)state;
    check_round_trip(&plain);
    check_round_trip(&deep);
    invar_head_free(NULL);
}

/* What the file holds, with one entry of its metadata another or gone. */
static void write_changed(const struct invar_head *head, const char *path, const char *key, const char *value)
{
    static const char *const keys[] = {"invar.kind", "invar.options", "invar.width"};
    struct invar_error err = {0};
    struct invar_safetensors *file = NULL, *changed = invar_safetensors_create(&err);
    assert_ok(invar_head_write(head, path, &err), &err);
    assert_ok(invar_safetensors_read(&file, path, &err), &err);
    for (int i = 0; i < 3; i++) {
        const char *kept = strcmp(keys[i], key) == 0 ? value : invar_safetensors_metadata(file, keys[i]);
        if (kept)
            assert_ok(invar_safetensors_set_metadata(changed, keys[i], kept, &err), &err);
    }
    for (int i = 0; i < invar_safetensors_count(file); i++) {
        const char *name = invar_safetensors_name(file, i);
        assert_ok(invar_safetensors_add(changed, name, invar_safetensors_get(file, name), &err), &err);
    }
    assert_ok(invar_safetensors_write(changed, path, &err), &err);
    invar_safetensors_free(changed);
    invar_safetensors_free(file);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *key, *value, *says;
    } cases[] = {
        {"invar.kind", NULL, "invar.kind"},        {"invar.kind", "resnet18", "resnet18"},
        {"invar.options", NULL, "invar.options"},  {"invar.options", "hidden: [", "cannot be built"},
        {"invar.options", "output: -3", "output"}, {"invar.width", NULL, "invar.width"},
        {"invar.width", "12 features", "12 feat"}, {"invar.width", "0", "invar.width"},
        {"invar.width", "13", "0.linear.weight"},
    };
    (void)state;
    struct invar_error err = {0};
    char *folder = test_folder_create();
    const char *path = test_path(folder, "projector.safetensors");
    struct invar_head *head = head_create(&deep);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_changed(head, path, cases[i].key, cases[i].value);
        assert_refused(invar_head_read(path, &err), &err, INVAR_ERROR_FORMAT, cases[i].says);
    }
    test_file(folder, "projector.safetensors", "torn", 4);
    assert_refused(invar_head_read(path, &err), &err, INVAR_ERROR_FORMAT, "projector.safetensors");
    invar_head_free(head);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
