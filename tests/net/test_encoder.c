/* SPDX-License-Identifier: Apache-2.0 */
/* encoder.safetensors: written and read back, taken from files of others, and refused where something is wrong. */
#include "test.h"

#include "invar/encoder.h"
#include "invar/memory.h"

TEST_COVERS("encoder.small-resnet encoder.mlp");

static const struct invar_shape input = {3, 3, 12, 10};

static struct invar_encoder *create_for(const char *text, struct invar_shape shape, uint64_t seed)
{
    struct invar_error err = {0};
    struct invar_node *section = invar_node_parse(text, strlen(text), "test", &err);
    struct invar_encoder *encoder = invar_encoder_create(section, shape, seed, &err);
    invar_node_free(section);
    if (!encoder)
        fail_msg("%s", err.message);
    return encoder;
}

static struct invar_encoder *create(uint64_t seed)
{
    struct invar_error err = {0};
    struct invar_encoder *encoder = create_for("{kind: small-resnet, widths: [3, 5]}", input, seed);
    for (int i = 0; i < 3; i++) {
        encoder->mean[i] = 0.1f + (float)i / 3.0f;
        encoder->deviation[i] = 0.3f - (float)i / 7.0f;
    }
    for (int64_t i = 0; i < encoder->net->statistic_count; i++)
        encoder->statistics[i] += (float)i / 100.0f;
    snprintf(encoder->recipe, sizeof encoder->recipe, "a recipe");
    assert_ok(invar_text_printf(&encoder->source, &err, "source: \"cifar10:/data/ü\"\nsize: 12\n"), &err);
    return encoder;
}

static void assert_same(const struct invar_encoder *a, const struct invar_encoder *b)
{
    assert_string_equal(a->kind, b->kind);
    assert_string_equal(a->options.data, b->options.data);
    assert_string_equal(a->source.data, b->source.data);
    assert_string_equal(a->recipe, b->recipe);
    assert_memory_equal(a->mean, b->mean, 3 * sizeof(float));
    assert_memory_equal(a->deviation, b->deviation, 3 * sizeof(float));
    assert_int_equal(a->net->trained_count, b->net->trained_count);
    assert_int_equal(a->net->statistic_count, b->net->statistic_count);
    assert_memory_equal(a->parameters, b->parameters, (size_t)a->net->trained_count * sizeof(float));
    assert_memory_equal(a->statistics, b->statistics, (size_t)a->net->statistic_count * sizeof(float));
}

struct place {
    char *folder;
    char path[1024];
};

static int place_open(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    place->folder = test_folder_create();
    snprintf(place->path, sizeof place->path, "%s", test_path(place->folder, "encoder.safetensors"));
    *state = place;
    return 0;
}

static int place_close(void **state)
{
    struct place *place = *state;
    test_folder_remove(place->folder);
    free(place);
    return 0;
}

/* ---- there and back ---- */

static void test_round_trip(void **state)
{
    const struct place *place = *state;
    struct invar_error err = {0};
    struct invar_encoder *written = create(7), *read;
    assert_ok(invar_encoder_write(written, place->path, &err), &err);
    read = invar_encoder_read(place->path, &err);
    if (!read)
        fail_msg("%s", err.message);
    assert_same(read, written);
    assert_int_equal(invar_net_input(read->net).height, 12);
    assert_int_equal(invar_net_input(read->net).width, 10);
    invar_encoder_free(read);
    invar_encoder_free(written);
    invar_encoder_free(NULL);
}

/* Vectors, many channels, and every kind with its defaults. */
static void test_round_trip_kinds(void **state)
{
    static const struct {
        const char *section;
        struct invar_shape shape;
    } kinds[] = {{"{kind: mlp, widths: [9]}", {1, 13, 0, 0}},
                 {"{kind: mlp}", {3, 20, 3, 2}},
                 {"{kind: small-resnet}", {3, 1, 28, 28}},
                 {"{kind: resnet18, width: 4, stem: small, pool: 2}", {3, 17, 16, 16}},
                 {"{kind: resnet50, width: 2}", {3, 3, 40, 33}}};
    const struct place *place = *state;
    struct invar_error err = {0};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct invar_encoder *written = create_for(kinds[i].section, kinds[i].shape, i), *read;
        assert_ok(invar_text_printf(&written->source, &err, "source: x"), &err);
        assert_ok(invar_encoder_write(written, place->path, &err), &err);
        read = invar_encoder_read(place->path, &err);
        if (!read)
            fail_msg("%s", err.message);
        assert_same(read, written);
        invar_encoder_free(read);
        invar_encoder_free(written);
    }
}

static void test_same_bits(void **state)
{
    const struct place *place = *state;
    struct invar_error err = {0};
    struct invar_encoder *a = create(7), *b = create(7);
    struct invar_bytes first, second;
    assert_ok(invar_encoder_write(a, place->path, &err), &err);
    assert_ok(invar_file_read(&first, place->path, 1 << 20, &err), &err);
    assert_ok(invar_encoder_write(b, place->path, &err), &err);
    assert_ok(invar_file_read(&second, place->path, 1 << 20, &err), &err);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    invar_bytes_free(&first);
    invar_bytes_free(&second);
    invar_encoder_free(a);
    invar_encoder_free(b);
}

static void test_metadata(void **state)
{
    const struct place *place = *state;
    struct invar_error err = {0};
    struct invar_encoder *encoder = create(7);
    struct invar_safetensors *file = NULL;
    float third;
    assert_ok(invar_encoder_write(encoder, place->path, &err), &err);
    assert_ok(invar_safetensors_read(&file, place->path, &err), &err);
    assert_string_equal(invar_safetensors_metadata(file, "invar.kind"), "small-resnet");
    assert_string_equal(invar_safetensors_metadata(file, "invar.input"), "3 3 12 10");
    assert_string_equal(invar_safetensors_metadata(file, "invar.recipe"), "a recipe");
    assert_string_equal(invar_safetensors_metadata(file, "invar.data"), "source: \"cifar10:/data/ü\"\nsize: 12\n");
    assert_non_null(strstr(invar_safetensors_metadata(file, "invar.options"), "widths: [3, 5]"));
    assert_non_null(invar_safetensors_metadata(file, "invar.version"));
    assert_int_equal(sscanf(invar_safetensors_metadata(file, "invar.mean"), "%*f %*f %f", &third), 1);
    assert_true(third == encoder->mean[2]);
    assert_int_equal(invar_safetensors_count(file), encoder->net->parameter_count);
    assert_non_null(invar_safetensors_get(file, "layer2.0.downsample.1.running_var"));
    invar_safetensors_free(file);
    invar_encoder_free(encoder);
}

/* ---- changed files ---- */

/* What to change in a file while it is copied. */
struct change {
    const char *key, *value; /* metadata: value NULL leaves the key out */
    const char *array;       /* this array is left out, or replaced by `other` */
    const struct invar_array *other;
    bool no_metadata, extra; /* extra: what torchvision's files hold besides */
    const char *prefix;      /* before every name; NULL: none */
    const char *surplus;     /* an array with this name comes to it */
};

static void add(struct invar_safetensors *file, const char *name, enum invar_dtype dtype, int rank, int64_t rows)
{
    struct invar_error err = {0};
    struct invar_array array;
    const int64_t shape[] = {rows, 5};
    assert_ok(invar_array_alloc(&array, dtype, rank, shape, &err), &err);
    assert_ok(invar_safetensors_add(file, name, &array, &err), &err);
    invar_array_free(&array);
}

static void write_changed(const struct invar_encoder *encoder, const char *path, const struct change *change)
{
    static const char *const keys[] = {"invar.version", "invar.kind", "invar.options", "invar.input",
                                       "invar.recipe",  "invar.data", "invar.mean",    "invar.deviation"};
    struct invar_error err = {0};
    struct invar_safetensors *from = NULL, *to = invar_safetensors_create(&err);
    assert_ok(invar_encoder_write(encoder, path, &err), &err);
    assert_ok(invar_safetensors_read(&from, path, &err), &err);
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !change->no_metadata; i++) {
        const bool changed = change->key && strcmp(keys[i], change->key) == 0;
        const char *value = changed ? change->value : invar_safetensors_metadata(from, keys[i]);
        if (value)
            assert_ok(invar_safetensors_set_metadata(to, keys[i], value, &err), &err);
    }
    for (int i = 0; i < invar_safetensors_count(from); i++) {
        const char *name = invar_safetensors_name(from, i);
        const struct invar_array *array = invar_safetensors_get(from, name);
        if (change->array && strcmp(name, change->array) == 0)
            array = change->other;
        char prefixed[256];
        snprintf(prefixed, sizeof prefixed, "%s%s", change->prefix ? change->prefix : "", name);
        if (array)
            assert_ok(invar_safetensors_add(to, prefixed, array, &err), &err);
    }
    if (change->surplus)
        add(to, change->surplus, INVAR_FLOAT32, 1, 5);
    if (change->extra) {
        add(to, "bn1.num_batches_tracked", INVAR_INT64, 0, 1);
        add(to, "fc.weight", INVAR_FLOAT32, 2, 10);
        add(to, "fc.bias", INVAR_FLOAT64, 1, 10);
    }
    assert_ok(invar_safetensors_write(to, path, &err), &err);
    invar_safetensors_free(from);
    invar_safetensors_free(to);
}

/* Weights without our metadata, with more in the file than the net has. */
static void test_adopt(void **state)
{
    const struct place *place = *state;
    const struct change change = {.no_metadata = true, .extra = true};
    struct invar_error err = {0};
    struct invar_encoder *from = create(1), *to = create(2);
    const size_t size = (size_t)from->net->trained_count * sizeof(float);
    memset(to->statistics, 0, (size_t)to->net->statistic_count * sizeof(float));
    write_changed(from, place->path, &change);
    assert_memory_not_equal(to->parameters, from->parameters, size);
    assert_ok(invar_encoder_adopt(to, place->path, &err), &err);
    assert_same(to, from);
    assert_refused(invar_encoder_read(place->path, &err), &err, INVAR_ERROR_FORMAT, "init=FILE");
    invar_encoder_free(from);
    invar_encoder_free(to);
}

/* Names as wrappers and other programs put them, one before the other; what stands under other names beside them, such
 * as a head, is not looked at. */
static void test_adopt_prefixed(void **state)
{
    const struct place *place = *state;
    static const char *const prefixes[] = {"module.", "backbone.", "module.backbone."};

    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        const struct change change = {.no_metadata = true, .prefix = prefixes[i], .surplus = "projector.0.weight"};
        struct invar_error err = {0};
        struct invar_encoder *from = create(1), *to = create(2);
        write_changed(from, place->path, &change);
        assert_ok(invar_encoder_adopt(to, place->path, &err), &err);
        assert_same(to, from);
        invar_encoder_free(from);
        invar_encoder_free(to);
    }
}

static void check_adopt_refused(const char *path, const struct change *change, const char *const *texts)
{
    struct invar_error err = {0};
    struct invar_encoder *from = create(1), *to = create(2), *kept = create(2);
    write_changed(from, path, change);
    for (int i = 0; texts[i]; i++)
        assert_refused(invar_encoder_adopt(to, path, &err), &err, INVAR_ERROR_FORMAT, texts[i]);
    assert_refused(invar_encoder_adopt(to, path, &err), &err, INVAR_ERROR_FORMAT, path);
    assert_same(to, kept);
    invar_encoder_free(from);
    invar_encoder_free(to);
    invar_encoder_free(kept);
}

static void test_adopt_refused(void **state)
{
    const struct place *place = *state;
    struct invar_error err = {0};
    struct invar_array array;
    assert_ok(invar_array_alloc(&array, INVAR_FLOAT32, 1, (int64_t[]){4}, &err), &err);
    check_adopt_refused(place->path, &(struct change){.array = "layer2.0.bn2.weight"},
                        (const char *[]){"has no array \"layer2.0.bn2.weight\"", NULL});
    check_adopt_refused(place->path, &(struct change){.array = "layer2.0.bn2.weight", .other = &array},
                        (const char *[]){"\"layer2.0.bn2.weight\" is float32 [4], and this net has float32 [5]", NULL});
    check_adopt_refused(place->path, &(struct change){.array = "layer2.0.downsample.0.weight", .other = &array},
                        (const char *[]){"float32 [4]", "float32 [5, 3, 1, 1]", NULL});
    invar_array_free(&array);
    /* what has no place here, beside all that has one; behind a prefix too */
    check_adopt_refused(place->path, &(struct change){.surplus = "layer2.1.conv1.weight"},
                        (const char *[]){"1 array has no place in this net (\"layer2.1.conv1.weight\")", NULL});
    check_adopt_refused(place->path,
                        &(struct change){.no_metadata = true, .prefix = "module.", .surplus = "module.layer9.weight"},
                        (const char *[]){"\"module.layer9.weight\"", NULL});
    check_adopt_refused(place->path, &(struct change){.key = "invar.kind", .value = "resnet34"},
                        (const char *[]){"of kind resnet34, and the encoder here is", NULL});
    assert_ok(invar_array_alloc(&array, INVAR_FLOAT64, 1, (int64_t[]){5}, &err), &err);
    check_adopt_refused(place->path, &(struct change){.array = "layer2.0.bn2.running_var", .other = &array},
                        (const char *[]){"\"layer2.0.bn2.running_var\" is float64 [5]", NULL});
    invar_array_free(&array);
}

/* The weights of another kind of encoder. */
static void test_adopt_other_kind(void **state)
{
    const struct place *place = *state;
    struct invar_error err = {0};
    struct invar_encoder *mlp = create_for("{kind: mlp, widths: [4]}", input, 1), *net = create(1);
    assert_ok(invar_encoder_write(mlp, place->path, &err), &err);
    assert_refused(invar_encoder_adopt(net, place->path, &err), &err, INVAR_ERROR_FORMAT, "another net");
    assert_refused(invar_encoder_adopt(net, test_path(place->folder, "none"), &err), &err, INVAR_ERROR_FILE, "none");
    invar_encoder_free(mlp);
    invar_encoder_free(net);
}

/* ---- refused files ---- */

static void test_metadata_refused(void **state)
{
    static const struct {
        const char *key, *value, *text;
    } cases[] = {
        {"invar.kind", NULL, "no metadata \"invar.kind\""},
        {"invar.options", NULL, "no metadata \"invar.options\""},
        {"invar.input", NULL, "no metadata \"invar.input\""},
        {"invar.mean", NULL, "no metadata \"invar.mean\""},
        {"invar.deviation", NULL, "no metadata \"invar.deviation\""},
        {"invar.data", NULL, "no metadata \"invar.data\""},
        {"invar.kind", "resnet", "there is no encoder \"resnet\""},
        {"invar.kind", "", "there is no encoder \"\""},
        {"invar.kind", "mlp", "cannot be built: invar.options:2"},
        {"invar.kind", "a kind with a name that is longer than any name of an encoder ever is or ever will be, surely",
         "there is no encoder"},
        {"invar.options", "widths: [3", "not valid YAML"},
        {"invar.options", "widths: [3, 0]", "encoder.widths"},
        {"invar.options", "widht: [3, 5]", "did you mean"},
        {"invar.options", "[1, 2]", "encoder"},
        {"invar.options", "widths: [3, 6]", "is float32 [5, 3, 3, 3], and this net has float32 [6, 3, 3, 3]"},
        {"invar.options", "widths: [4]", "is float32 [3, 3, 3, 3]"},
        {"invar.input", "", "metadata invar.input is \"\""},
        {"invar.input", "3 3 12", "metadata invar.input is \"3 3 12\""},
        {"invar.input", "3 3 12 10 4", "metadata invar.input is"},
        {"invar.input", "3 x 12 10", "metadata invar.input is"},
        {"invar.input", "2 3 12 10", "metadata invar.input is \"2 3 12 10\""},
        {"invar.input", "3 3 1 1", "the map is only 1 x 1"},
        {"invar.input", "3 3 -12 10", "cannot be built: input of rank 3, 3 x -12 x 10"},
        {"invar.input", "3 3 99999999999999999999 10", "cannot be built: input"},
        {"invar.input", "3 4 12 10", "expected 4 numbers"},
        {"invar.mean", "", "expected 3 numbers"},
        {"invar.mean", "0.5 0.5", "expected 3 numbers"},
        {"invar.mean", "0.5 0.5 0.5 0.5", "expected 3 numbers"},
        {"invar.mean", "0.5 nan 0.5", "metadata invar.mean is \"0.5 nan 0.5\""},
        {"invar.mean", "0.5 1e39 0.5", "metadata invar.mean"},
        {"invar.mean", "0.5 a 0.5", "metadata invar.mean"},
        {"invar.deviation", "0.5 0.5 -0.5", "metadata invar.deviation is \"0.5 0.5 -0.5\""},
        {"invar.deviation", "0.5 0.5", "expected 3 numbers"},
    };
    const struct place *place = *state;
    struct invar_encoder *encoder = create(3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct invar_error err = {0};
        write_changed(encoder, place->path, &(struct change){.key = cases[i].key, .value = cases[i].value});
        assert_refused(invar_encoder_read(place->path, &err), &err, INVAR_ERROR_FORMAT, cases[i].text);
        assert_refused(invar_encoder_read(place->path, &err), &err, INVAR_ERROR_FORMAT, place->path);
    }
    invar_encoder_free(encoder);
}

/* What may be missing or odd without harm: the recipe's name, a channel that never varies. */
static void test_metadata_accepted(void **state)
{
    static const struct {
        const char *key, *value;
    } cases[] = {{"invar.recipe", NULL}, {"invar.version", NULL}, {"invar.deviation", "0 0.5 1"}};
    const struct place *place = *state;
    struct invar_encoder *encoder = create(3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct invar_error err = {0};
        struct invar_encoder *read;
        write_changed(encoder, place->path, &(struct change){.key = cases[i].key, .value = cases[i].value});
        read = invar_encoder_read(place->path, &err);
        if (!read)
            fail_msg("%s", err.message);
        invar_encoder_free(read);
    }
    invar_encoder_free(encoder);
}

static void test_damaged(void **state)
{
    const struct place *place = *state;
    struct invar_error err = {0};
    struct invar_encoder *encoder = create(3);
    struct invar_bytes bytes;
    assert_ok(invar_encoder_write(encoder, place->path, &err), &err);
    assert_ok(invar_file_read(&bytes, place->path, 1 << 20, &err), &err);
    for (size_t size = 0; size < bytes.size; size += 1 + bytes.size / 37) {
        test_file(place->folder, "encoder.safetensors", bytes.data, size);
        assert_refused(invar_encoder_read(place->path, &err), &err, INVAR_ERROR_FORMAT, place->path);
        assert_refused(invar_encoder_adopt(encoder, place->path, &err), &err, INVAR_ERROR_FORMAT, place->path);
    }
    bytes.data[bytes.size - 9] ^= 4;
    test_file(place->folder, "encoder.safetensors", bytes.data, bytes.size);
    assert_refused(invar_encoder_read(place->path, &err), &err, INVAR_ERROR_FORMAT, "checksum");
    test_file(place->folder, "encoder.safetensors", "kind: resnet18\n", 15);
    assert_refused(invar_encoder_read(place->path, &err), &err, INVAR_ERROR_FORMAT, place->path);
    assert_refused(invar_encoder_read(test_path(place->folder, "none"), &err), &err, INVAR_ERROR_FILE, "none");
    assert_refused(invar_encoder_write(encoder, test_path(place->folder, "no/folder"), &err), &err, INVAR_ERROR_FILE,
                   "no/folder");
    invar_bytes_free(&bytes);
    invar_encoder_free(encoder);
}

/* ---- sections of a recipe ---- */

static void check_section(const char *text, const char *expected)
{
    struct invar_error err = {0};
    struct invar_node *section = invar_node_parse(text, strlen(text), "test", &err);
    assert_refused(invar_encoder_create(section, input, 1, &err), &err, INVAR_ERROR_USAGE, expected);
    invar_node_free(section);
}

static void test_section_refused(void **state)
{
    (void)state;
    check_section("{}", "encoder.kind: expected the name of an encoder");
    check_section("{kind: [mlp]}", "encoder.kind: expected the name of an encoder");
    check_section("{kind: resnet}", "there is no encoder \"resnet\"");
    check_section("{kind: mlp, widths: [0]}", "encoder.widths");
    check_section("{kind: mlp, width: 3}", "did you mean");
    check_section("{kind: small-resnet, pool: 9}", "choose a smaller pool or larger images");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_round_trip_kinds),
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_adopt_prefixed),
        cmocka_unit_test(test_adopt_refused),
        cmocka_unit_test(test_adopt_other_kind),
        cmocka_unit_test(test_metadata_refused),
        cmocka_unit_test(test_metadata_accepted),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_section_refused),
    };
    return cmocka_run_group_tests(tests, place_open, place_close);
}
